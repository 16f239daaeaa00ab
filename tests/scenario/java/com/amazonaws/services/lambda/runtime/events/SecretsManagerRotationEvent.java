package com.amazonaws.services.lambda.runtime.events;

/** As in AWS's library of event classes. */
public class SecretsManagerRotationEvent {
    private String step;
    private String secretId;
    private String clientRequestToken;

    public String getStep() {
        return step;
    }

    public void setStep(String value) {
        step = value;
    }

    public String getSecretId() {
        return secretId;
    }

    public void setSecretId(String value) {
        secretId = value;
    }

    public String getClientRequestToken() {
        return clientRequestToken;
    }

    public void setClientRequestToken(String value) {
        clientRequestToken = value;
    }
}
