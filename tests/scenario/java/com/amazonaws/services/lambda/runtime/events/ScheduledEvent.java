package com.amazonaws.services.lambda.runtime.events;

import java.util.List;
import java.util.Map;
import org.joda.time.DateTime;

/** As in AWS's library of event classes, in part. */
public class ScheduledEvent {
    private String id;
    private String detailType;
    private DateTime time;
    private List<String> resources;
    private Map<String, Object> detail;

    public String getId() {
        return id;
    }

    public void setId(String value) {
        id = value;
    }

    public String getDetailType() {
        return detailType;
    }

    public void setDetailType(String value) {
        detailType = value;
    }

    public DateTime getTime() {
        return time;
    }

    public void setTime(DateTime value) {
        time = value;
    }

    public List<String> getResources() {
        return resources;
    }

    public void setResources(List<String> value) {
        resources = value;
    }

    public Map<String, Object> getDetail() {
        return detail;
    }

    public void setDetail(Map<String, Object> value) {
        detail = value;
    }
}
