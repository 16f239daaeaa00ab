package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Map;

/** All that it does is in a class that is not public. */
public class Inherited extends Hidden<String> {
    public static class Streaming extends HiddenStreams {}

    public static class Bound extends HiddenHandler<Map<String, Object>> {}
}

class Hidden<T> {
    public String plain(String event) {
        return "plain " + event;
    }

    public String withContext(String event, Context context) {
        return context.getFunctionName() + " " + event;
    }

    public static String fixed(String event) {
        return "fixed " + event;
    }

    public final T generic(T event) {
        return event;
    }

    public void output(OutputStream output) throws IOException {
        output.write('1');
    }

    public void outputAndContext(OutputStream output, Context context) throws IOException {
        output.write('2');
    }

    public void input(InputStream input) throws IOException {
        System.out.println("read " + input.read());
    }

    public int inputAndContext(InputStream input, Context context) {
        return 7;
    }

    public String ignored(Context context, String event) {
        return "no handler";
    }
}

class HiddenStreams implements RequestStreamHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        output.write(input.readAllBytes());
    }
}

class HiddenHandler<T> implements RequestHandler<T, T> {
    @Override
    public T handleRequest(T event, Context context) {
        return event;
    }
}
