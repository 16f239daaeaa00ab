package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Context;

/** A function's code, in any form: it turns the bytes of an event into the bytes of a result. */
interface Handler {
    byte[] handle(byte[] event, Context context) throws Throwable;
}
