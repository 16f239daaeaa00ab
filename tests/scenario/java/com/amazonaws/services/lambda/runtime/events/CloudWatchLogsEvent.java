package com.amazonaws.services.lambda.runtime.events;

/** As in AWS's library of event classes. */
public class CloudWatchLogsEvent {
    private AWSLogs awsLogs;

    public AWSLogs getAwsLogs() {
        return awsLogs;
    }

    public void setAwsLogs(AWSLogs value) {
        awsLogs = value;
    }

    public static class AWSLogs {
        private String data;

        public String getData() {
            return data;
        }

        public void setData(String value) {
            data = value;
        }
    }
}
