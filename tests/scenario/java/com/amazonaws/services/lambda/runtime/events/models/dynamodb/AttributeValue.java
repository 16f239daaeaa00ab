package com.amazonaws.services.lambda.runtime.events.models.dynamodb;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;

/** As in AWS's library of event classes, in part. */
public class AttributeValue {
    private String s;
    private String n;
    private ByteBuffer b;
    private List<String> sS;
    private Map<String, AttributeValue> m;
    private List<AttributeValue> l;
    private Boolean nULL;
    private Boolean bOOL;

    public String getS() {
        return s;
    }

    public void setS(String value) {
        s = value;
    }

    public String getN() {
        return n;
    }

    public void setN(String value) {
        n = value;
    }

    public ByteBuffer getB() {
        return b;
    }

    public void setB(ByteBuffer value) {
        b = value;
    }

    public List<String> getSS() {
        return sS;
    }

    public void setSS(List<String> value) {
        sS = value;
    }

    public Map<String, AttributeValue> getM() {
        return m;
    }

    public void setM(Map<String, AttributeValue> value) {
        m = value;
    }

    public List<AttributeValue> getL() {
        return l;
    }

    public void setL(List<AttributeValue> value) {
        l = value;
    }

    public Boolean getNULL() {
        return nULL;
    }

    public void setNULL(Boolean value) {
        nULL = value;
    }

    public Boolean getBOOL() {
        return bOOL;
    }

    public void setBOOL(Boolean value) {
        bOOL = value;
    }
}
