package com.amazonaws.services.lambda.runtime.events;

import java.util.List;
import java.util.Map;
import org.joda.time.DateTime;

/** As in AWS's library of event classes, in part. */
public class SNSEvent {
    private List<SNSRecord> records;

    public List<SNSRecord> getRecords() {
        return records;
    }

    public void setRecords(List<SNSRecord> records) {
        this.records = records;
    }

    /** Its getter and its setter have different names. */
    public static class SNSRecord {
        private SNS sns;
        private String eventSource;

        public SNS getSNS() {
            return sns;
        }

        public void setSns(SNS sns) {
            this.sns = sns;
        }

        public String getEventSource() {
            return eventSource;
        }

        public void setEventSource(String eventSource) {
            this.eventSource = eventSource;
        }
    }

    public static class SNS {
        private String message;
        private DateTime timestamp;
        private Map<String, MessageAttribute> messageAttributes;

        public String getMessage() {
            return message;
        }

        public void setMessage(String message) {
            this.message = message;
        }

        public DateTime getTimestamp() {
            return timestamp;
        }

        public void setTimestamp(DateTime timestamp) {
            this.timestamp = timestamp;
        }

        public Map<String, MessageAttribute> getMessageAttributes() {
            return messageAttributes;
        }

        public void setMessageAttributes(Map<String, MessageAttribute> messageAttributes) {
            this.messageAttributes = messageAttributes;
        }
    }

    public static class MessageAttribute {
        private String type;

        public String getType() {
            return type;
        }

        public void setType(String type) {
            this.type = type;
        }
    }
}
