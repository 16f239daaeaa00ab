package com.amazonaws.services.lambda.runtime;

import java.util.Map;

/** The information of a mobile application about itself when it invoked the function. */
public interface ClientContext {
    Client getClient();

    /** Custom values of the application. */
    Map<String, String> getCustom();

    Map<String, String> getEnvironment();
}
