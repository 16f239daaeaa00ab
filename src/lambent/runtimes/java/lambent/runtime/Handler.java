package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Context;

/** A function's code in whatever form it was written: bytes of an event to bytes of a result. */
interface Handler {
    byte[] handle(byte[] event, Context context) throws Throwable;
}
