package example;

import com.amazonaws.services.lambda.runtime.Context;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/** Plain methods of every form. */
public class Forms {
    public enum State { OPEN, CLOSED }

    /** With getters and setters. */
    public static class Order {
        private int id;
        private List<Line> lines = new ArrayList<>();
        private State state;
        private boolean paid;
        private String absent;

        public int getId() {
            return id;
        }

        public void setId(int id) {
            this.id = id;
        }

        public List<Line> getLines() {
            return lines;
        }

        public void setLines(List<Line> lines) {
            this.lines = lines;
        }

        public State getState() {
            return state;
        }

        public void setState(State state) {
            this.state = state;
        }

        public boolean isPaid() {
            return paid;
        }

        public String getAbsent() {
            return absent;
        }
    }

    /** With public fields. */
    public static class Line {
        public String name;
        public double price;
    }

    /** With a type parameter of its own. */
    public record Pair<T>(int left, T right, List<T> more) {}

    public Pair<String> records(Pair<String> pair) {
        return new Pair<>(pair.left() + 1, pair.right() + "!", pair.more());
    }

    public String onlyEvent(String name) {
        return "hello " + name;
    }

    public static int fixed(int number) {
        return number + 1;
    }

    public long numbers(List<Long> numbers, Context context) {
        return numbers.stream().mapToLong(Long::longValue).sum();
    }

    public void nothing(Map<String, Object> event) {}

    public String noEvent() {
        return "no event";
    }

    public String onlyContext(Context context) {
        return context.getFunctionName();
    }

    public String overloaded() {
        return "nothing";
    }

    public String overloaded(Object event) {
        return "event";
    }

    public String overloaded(Object event, Context context) {
        return "event and context: " + event;
    }

    public String overloaded(String one, String two) {
        return "no handler";
    }

    public void bytes(InputStream input, OutputStream output) throws IOException {
        input.transferTo(output);
    }

    public void bytesAndContext(InputStream input, OutputStream output, Context context) throws IOException {
        input.transferTo(output);
    }

    public Order order(Order order) {
        for (Line line : order.getLines()) {
            line.price *= 2;
        }
        return order;
    }

    public Map<String, Object> context(Map<String, String> event, Context context) {
        Map<String, Object> known = new TreeMap<>();
        known.put("functionName", context.getFunctionName());
        known.put("functionVersion", context.getFunctionVersion());
        known.put("invokedFunctionArn", context.getInvokedFunctionArn());
        known.put("memoryLimitInMB", context.getMemoryLimitInMB());
        known.put("logGroupName", context.getLogGroupName());
        known.put("awsRequestId", context.getAwsRequestId());
        known.put("remaining", context.getRemainingTimeInMillis());
        known.put("custom", context.getClientContext().getCustom());
        known.put("mine", System.getProperty("mine"));
        known.put("trace id", context.getXrayTraceId());
        known.put("trace", System.getProperty("com.amazonaws.xray.traceHeader"));
        known.put("encoding", Charset.defaultCharset().name());
        known.put("directory", System.getProperty("user.dir"));
        known.put("heap", Runtime.getRuntime().maxMemory() >> 20);
        return known;
    }

    public String javaVersion() {
        return System.getProperty("java.version");
    }

    /** How many authorities are trusted. */
    public int trusted() throws Exception {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init((java.security.KeyStore) null);
        return ((X509TrustManager) factory.getTrustManagers()[0]).getAcceptedIssuers().length;
    }
}
