package com.amazonaws.services.lambda.runtime.events;

import java.util.List;

/** As in AWS's library of event classes, in part. */
public class SQSEvent {
    private List<SQSMessage> records;

    public List<SQSMessage> getRecords() {
        return records;
    }

    public void setRecords(List<SQSMessage> value) {
        records = value;
    }

    public static class SQSMessage {
        private String messageId;
        private String body;
        private String eventSourceArn;
        private String awsRegion;

        public String getMessageId() {
            return messageId;
        }

        public void setMessageId(String value) {
            messageId = value;
        }

        public String getBody() {
            return body;
        }

        public void setBody(String value) {
            body = value;
        }

        public String getEventSourceArn() {
            return eventSourceArn;
        }

        public void setEventSourceArn(String value) {
            eventSourceArn = value;
        }

        public String getAwsRegion() {
            return awsRegion;
        }

        public void setAwsRegion(String value) {
            awsRegion = value;
        }
    }
}
