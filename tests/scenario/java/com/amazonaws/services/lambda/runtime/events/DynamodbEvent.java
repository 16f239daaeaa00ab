package com.amazonaws.services.lambda.runtime.events;

import com.amazonaws.services.lambda.runtime.events.models.dynamodb.StreamRecord;
import java.util.List;

/** As in AWS's library of event classes, in part. */
public class DynamodbEvent {
    private List<DynamodbStreamRecord> records;

    public List<DynamodbStreamRecord> getRecords() {
        return records;
    }

    public void setRecords(List<DynamodbStreamRecord> value) {
        records = value;
    }

    public static class DynamodbStreamRecord {
        private String eventName;
        private String eventSourceARN;
        private StreamRecord dynamodb;

        public String getEventName() {
            return eventName;
        }

        public void setEventName(String value) {
            eventName = value;
        }

        public String getEventSourceARN() {
            return eventSourceARN;
        }

        public void setEventSourceARN(String value) {
            eventSourceARN = value;
        }

        public StreamRecord getDynamodb() {
            return dynamodb;
        }

        public void setDynamodb(StreamRecord value) {
            dynamodb = value;
        }
    }
}
