package com.amazonaws.services.lambda.runtime.events;

import java.util.List;
import org.joda.time.DateTime;

/** As in AWS's library of event classes, in part. */
public class CodeCommitEvent {
    private List<Record> records;

    public List<Record> getRecords() {
        return records;
    }

    public void setRecords(List<Record> value) {
        records = value;
    }

    public static class Record {
        private String eventId;
        private CodeCommit codeCommit;
        private String eventSourceArn;
        private String userIdentityArn;
        private DateTime eventTime;

        public String getEventId() {
            return eventId;
        }

        public void setEventId(String value) {
            eventId = value;
        }

        public CodeCommit getCodeCommit() {
            return codeCommit;
        }

        public void setCodeCommit(CodeCommit value) {
            codeCommit = value;
        }

        public String getEventSourceArn() {
            return eventSourceArn;
        }

        public void setEventSourceArn(String value) {
            eventSourceArn = value;
        }

        public String getUserIdentityArn() {
            return userIdentityArn;
        }

        public void setUserIdentityArn(String value) {
            userIdentityArn = value;
        }

        public DateTime getEventTime() {
            return eventTime;
        }

        public void setEventTime(DateTime value) {
            eventTime = value;
        }
    }

    public static class CodeCommit {
        private String customData;

        public String getCustomData() {
            return customData;
        }

        public void setCustomData(String value) {
            customData = value;
        }
    }
}
