package com.amazonaws.services.lambda.runtime.events;

import java.util.Map;

/** As in AWS's library of event classes, in part. */
public class CloudFormationCustomResourceEvent {
    private String requestType;
    private String responseUrl;
    private Map<String, Object> resourceProperties;

    public String getRequestType() {
        return requestType;
    }

    public void setRequestType(String value) {
        requestType = value;
    }

    public String getResponseUrl() {
        return responseUrl;
    }

    public void setResponseUrl(String value) {
        responseUrl = value;
    }

    public Map<String, Object> getResourceProperties() {
        return resourceProperties;
    }

    public void setResourceProperties(Map<String, Object> value) {
        resourceProperties = value;
    }
}
