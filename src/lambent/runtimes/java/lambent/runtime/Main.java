package lambent.runtime;

import com.amazonaws.services.lambda.runtime.LambdaRuntimeInternal;
import java.io.BufferedOutputStream;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Runs a Java function inside its sandbox: loads the handler, then takes one event after another
 * from the Runtime API. No library is needed.
 */
public final class Main {
    private static final String TRACE_PROPERTY = "com.amazonaws.xray.traceHeader";
    private static final String TRUST_PROPERTY = "javax.net.ssl.trustStore";
    /** What the other languages trust as well. A JVM's own store lacks the platform's authority. */
    private static final String TRUSTED = "/etc/ssl/lambent/bundle.jks";

    private final RuntimeApi api;
    private final Logger logger = new Logger();

    private Main(RuntimeApi api) {
        this.api = api;
    }

    public static void main(String[] arguments) throws IOException {
        System.setOut(stream(FileDescriptor.out));
        System.setErr(stream(FileDescriptor.err));
        if (System.getProperty(TRUST_PROPERTY) == null && new File(TRUSTED).exists()) {
            System.setProperty(TRUST_PROPERTY, TRUSTED);
        }
        new Main(new RuntimeApi(System.getenv("AWS_LAMBDA_RUNTIME_API"))).run();
    }

    private void run() throws IOException {
        String root = System.getenv("LAMBDA_TASK_ROOT");
        Thread.currentThread().setContextClassLoader(classLoader(root == null ? "/var/task" : root));
        LambdaRuntimeInternal.setLogger(logger);
        Handler handler;
        try {
            handler = HandlerFinder.find(String.valueOf(System.getenv("_HANDLER")));
        } catch (Throwable error) {
            logger.logError(error);
            api.failInit(Errors.document(error));
            System.exit(1);
            return;
        }
        while (true) {
            answer(handler, api.next());
        }
    }

    private void answer(Handler handler, RuntimeApi.Event event) throws IOException {
        String trace = event.header("lambda-runtime-trace-id");
        if (trace == null) {
            System.clearProperty(TRACE_PROPERTY);
        } else {
            System.setProperty(TRACE_PROPERTY, trace);
        }
        InvocationContext context = new InvocationContext(event, logger);
        logger.setContext(context);
        if (LambdaRuntimeInternal.getUseLog4jAppender()) {
            Log4jContext.put("AWSRequestId", event.requestId());
        }
        byte[] result;
        try {
            result = handler.handle(event.body, context);
        } catch (Throwable error) {
            logger.logError(error);
            api.fail(event, Errors.document(error));
            if (Errors.isFatal(error)) {
                System.exit(1);
            }
            return;
        }
        api.respond(event, result);
    }

    /**
     * The function's own classes: the root of the package, its libraries, the layers'
     * libraries. Classes of this runtime come first, so that its interfaces are the function's.
     */
    private static ClassLoader classLoader(String root) throws MalformedURLException {
        List<URL> places = new ArrayList<>();
        places.add(new File(root).toURI().toURL());
        for (String directory : new String[] {root + "/lib", layers() + "/java/lib"}) {
            File[] files = new File(directory).listFiles();
            if (files != null) {
                Arrays.sort(files);
                for (File file : files) {
                    if (file.getName().endsWith(".jar")) {
                        places.add(file.toURI().toURL());
                    }
                }
            }
        }
        return new URLClassLoader(places.toArray(new URL[0]), Main.class.getClassLoader());
    }

    /** The directory of layers: next to the runtime's directory, wherever that is. */
    private static String layers() {
        String runtime = System.getenv("LAMBDA_RUNTIME_DIR");
        String place = "/var/runtime";
        boolean isElsewhere = runtime != null && runtime.endsWith(place);
        return (isElsewhere ? runtime.substring(0, runtime.length() - place.length()) : "") + "/opt";
    }

    /** Output is written at the end of a line and before a print returns. */
    private static PrintStream stream(FileDescriptor descriptor) throws IOException {
        OutputStream buffered = new BufferedOutputStream(new FileOutputStream(descriptor));
        return new PrintStream(buffered, true, "UTF-8");
    }
}
