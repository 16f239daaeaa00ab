package com.amazonaws.services.lambda.runtime.events.models.dynamodb;

import java.util.Date;
import java.util.Map;

/** As in AWS's library of event classes, in part. */
public class StreamRecord {
    private Date approximateCreationDateTime;
    private Map<String, AttributeValue> keys;
    private Map<String, AttributeValue> newImage;
    private Long sizeBytes;

    public Date getApproximateCreationDateTime() {
        return approximateCreationDateTime;
    }

    public void setApproximateCreationDateTime(Date value) {
        approximateCreationDateTime = value;
    }

    public Map<String, AttributeValue> getKeys() {
        return keys;
    }

    public void setKeys(Map<String, AttributeValue> value) {
        keys = value;
    }

    public Map<String, AttributeValue> getNewImage() {
        return newImage;
    }

    public void setNewImage(Map<String, AttributeValue> value) {
        newImage = value;
    }

    public Long getSizeBytes() {
        return sizeBytes;
    }

    public void setSizeBytes(Long value) {
        sizeBytes = value;
    }
}
