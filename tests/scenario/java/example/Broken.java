package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;

/** Handlers that cannot be made. */
public class Broken {
    public static class Class extends Constructor {
        static {
            if (true) {
                throw new IllegalArgumentException("at the start");
            }
        }
    }

    public static class Constructor implements RequestHandler<Object, Object> {
        public Constructor() {
            throw new IllegalStateException("at the start");
        }

        @Override
        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }

    public static class WithArgument extends Maps {
        public WithArgument(String argument) {}
    }

    public class Inner extends Maps {}

    @SuppressWarnings("rawtypes")
    public static class Raw implements RequestHandler {
        @Override
        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }
}
