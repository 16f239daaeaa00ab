package com.amazonaws.services.lambda.runtime;

import java.util.Map;

/** What a mobile application said about itself when it invoked the function. */
public interface ClientContext {
    Client getClient();

    /** Values of the application's own. */
    Map<String, String> getCustom();

    Map<String, String> getEnvironment();
}
