package com.amazonaws.services.lambda.runtime.events.models.s3;

import java.time.ZonedDateTime;
import java.util.List;

/** As in AWS's library of event classes, in part: without setters, and without a constructor for JSON. */
public class S3EventNotification {
    private final List<S3EventNotificationRecord> records;

    public S3EventNotification(List<S3EventNotificationRecord> records) {
        this.records = records;
    }

    public List<S3EventNotificationRecord> getRecords() {
        return records;
    }

    public static class S3EventNotificationRecord {
        private final String awsRegion;
        private final ResponseElementsEntity responseElements;
        private final S3ObjectEntity object;
        private ZonedDateTime eventTime;

        public S3EventNotificationRecord(
                String awsRegion, String eventTime, ResponseElementsEntity responseElements, S3ObjectEntity object) {
            this.awsRegion = awsRegion;
            this.eventTime = ZonedDateTime.parse(eventTime);
            this.responseElements = responseElements;
            this.object = object;
        }

        public String getAwsRegion() {
            return awsRegion;
        }

        public ZonedDateTime getEventTime() {
            return eventTime;
        }

        public ResponseElementsEntity getResponseElements() {
            return responseElements;
        }

        public S3ObjectEntity getObject() {
            return object;
        }
    }

    public static class ResponseElementsEntity {
        private final String xAmzId2;
        private final String xAmzRequestId;

        public ResponseElementsEntity(String xAmzId2, String xAmzRequestId) {
            this.xAmzId2 = xAmzId2;
            this.xAmzRequestId = xAmzRequestId;
        }

        public String getxAmzId2() {
            return xAmzId2;
        }

        public String getxAmzRequestId() {
            return xAmzRequestId;
        }
    }

    public static class S3ObjectEntity {
        private final String key;
        private final Long size;
        private final String eTag;

        public S3ObjectEntity(String key, Long size, String eTag) {
            this.key = key;
            this.size = size;
            this.eTag = eTag;
        }

        public String getKey() {
            return key;
        }

        public String getUrlDecodedKey() {
            return key.replace('+', ' ');
        }

        public Integer getSize() {
            return size.intValue();
        }

        public String geteTag() {
            return eTag;
        }
    }
}
