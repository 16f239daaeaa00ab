package com.amazonaws.services.lambda.runtime.events;

import java.nio.ByteBuffer;
import java.util.Date;
import java.util.List;

/** As in AWS's library of event classes, in part. */
public class KinesisEvent {
    private List<KinesisEventRecord> records;

    public List<KinesisEventRecord> getRecords() {
        return records;
    }

    public void setRecords(List<KinesisEventRecord> value) {
        records = value;
    }

    public static class KinesisEventRecord {
        private String eventID;
        private String eventSourceARN;
        private Record kinesis;

        public String getEventID() {
            return eventID;
        }

        public void setEventID(String value) {
            eventID = value;
        }

        public String getEventSourceARN() {
            return eventSourceARN;
        }

        public void setEventSourceARN(String value) {
            eventSourceARN = value;
        }

        public Record getKinesis() {
            return kinesis;
        }

        public void setKinesis(Record value) {
            kinesis = value;
        }
    }

    public static class Record {
        private String partitionKey;
        private ByteBuffer data;
        private Date approximateArrivalTimestamp;

        public String getPartitionKey() {
            return partitionKey;
        }

        public void setPartitionKey(String value) {
            partitionKey = value;
        }

        public ByteBuffer getData() {
            return data;
        }

        public void setData(ByteBuffer value) {
            data = value;
        }

        public Date getApproximateArrivalTimestamp() {
            return approximateArrivalTimestamp;
        }

        public void setApproximateArrivalTimestamp(Date value) {
            approximateArrivalTimestamp = value;
        }
    }
}
