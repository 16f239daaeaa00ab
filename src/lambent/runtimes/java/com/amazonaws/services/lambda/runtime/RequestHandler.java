package com.amazonaws.services.lambda.runtime;

/** A handler of events that are bound to objects of type I; O is written as JSON. */
public interface RequestHandler<I, O> {
    O handleRequest(I input, Context context);
}
