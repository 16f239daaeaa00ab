package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.InputStream;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.net.ssl.HttpsURLConnection;

/** Reads an address by HTTPS in the ways that Java has. */
public class Fetch implements RequestHandler<Map<String, String>, Map<String, Object>> {
    @Override
    public Map<String, Object> handleRequest(Map<String, String> event, Context context) {
        Map<String, Object> found = new LinkedHashMap<>();
        try {
            String url = event.get("url");
            found.put("connection", Child.byConnection(url));
            HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
            HttpResponse<String> response =
                    HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
            found.put("client", response.body());
            found.put("child", byChild(url));
            found.put("trusted", trusted());
        } catch (Exception error) {
            found.put("error", String.valueOf(error));
        }
        return found;
    }

    /** A program; it has nothing of the runtime on its classpath. */
    public static class Child {
        public static void main(String[] arguments) throws Exception {
            System.out.print(byConnection(arguments[0]));
        }

        static String byConnection(String url) throws Exception {
            HttpsURLConnection connection = (HttpsURLConnection) new URL(url).openConnection();
            try (InputStream input = connection.getInputStream()) {
                return new String(input.readAllBytes(), StandardCharsets.UTF_8);
            }
        }
    }

    /** Another JVM, which the function starts itself. */
    private static String byChild(String url) throws Exception {
        String java = System.getProperty("java.home") + "/bin/java";
        Process process = new ProcessBuilder(java, "-Xmx64m", "-cp", "/var/task", "example.Fetch$Child", url)
                .redirectErrorStream(true).start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    /** As programs do that add certificates to those of the JVM; the number of them. */
    private static int trusted() throws Exception {
        KeyStore store = KeyStore.getInstance("JKS");
        try (InputStream input = Files.newInputStream(Path.of("/etc/ssl/certs/java/cacerts"))) {
            store.load(input, "changeit".toCharArray());
        }
        return store.size();
    }
}
