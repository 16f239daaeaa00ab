package com.amazonaws.services.lambda.runtime.events;

import java.util.Map;

/** As in AWS's library of event classes, in part. */
public class ConnectEvent {
    private Details details;
    private String name;

    public Details getDetails() {
        return details;
    }

    public void setDetails(Details value) {
        details = value;
    }

    public String getName() {
        return name;
    }

    public void setName(String value) {
        name = value;
    }

    public static class Details {
        private ContactData contactData;
        private Map<String, Object> parameters;

        public ContactData getContactData() {
            return contactData;
        }

        public void setContactData(ContactData value) {
            contactData = value;
        }

        public Map<String, Object> getParameters() {
            return parameters;
        }

        public void setParameters(Map<String, Object> value) {
            parameters = value;
        }
    }

    public static class ContactData {
        private String channel;
        private String instanceArn;
        private SystemEndpoint systemEndpoint;

        public String getChannel() {
            return channel;
        }

        public void setChannel(String value) {
            channel = value;
        }

        public String getInstanceArn() {
            return instanceArn;
        }

        public void setInstanceArn(String value) {
            instanceArn = value;
        }

        public SystemEndpoint getSystemEndpoint() {
            return systemEndpoint;
        }

        public void setSystemEndpoint(SystemEndpoint value) {
            systemEndpoint = value;
        }
    }

    public static class SystemEndpoint {
        private String address;
        private String type;

        public String getAddress() {
            return address;
        }

        public void setAddress(String value) {
            address = value;
        }

        public String getType() {
            return type;
        }

        public void setType(String value) {
            type = value;
        }
    }
}
