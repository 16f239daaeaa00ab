package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** An event of the shapes that AWS's library of event classes has. */
public class Records implements RequestHandler<Records.Event, Map<String, Object>> {
    /** Written `Records` in JSON. */
    public static class Event {
        private List<Entry> records;

        public List<Entry> getRecords() {
            return records;
        }

        public void setRecords(List<Entry> records) {
            this.records = records;
        }
    }

    /** Without setters, and without a constructor that JSON could call. */
    public static class Entry {
        private final String awsRegion;
        private final Body body;

        public Entry(String awsRegion, Body body) {
            this.awsRegion = awsRegion;
            this.body = body;
        }

        public String getAwsRegion() {
            return awsRegion;
        }

        public Body getBody() {
            return body;
        }
    }

    public static class Body {
        private Date time;
        private ByteBuffer data;
        private Map<String, Value> image;

        public void setTime(Date time) {
            this.time = time;
        }

        public void setData(ByteBuffer data) {
            this.data = data;
        }

        public void setImage(Map<String, Value> image) {
            this.image = image;
        }
    }

    public static class Value {
        private String s;
        private Boolean isBinary;

        public String getS() {
            return s;
        }

        public void setS(String s) {
            this.s = s;
        }

        public Boolean getIsBinary() {
            return isBinary;
        }

        public void setIsBinary(Boolean isBinary) {
            this.isBinary = isBinary;
        }
    }

    @Override
    public Map<String, Object> handleRequest(Event event, Context context) {
        Entry entry = event.getRecords().get(0);
        Map<String, Object> seen = new TreeMap<>();
        seen.put("region", entry.getAwsRegion());
        seen.put("time", entry.getBody().time);
        seen.put("data", StandardCharsets.UTF_8.decode(entry.getBody().data).toString());
        seen.put("image", entry.getBody().image);
        return seen;
    }
}
