package lambent.runtime;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.Type;
import java.util.Iterator;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;

/** Converts between bytes of events and results and a handler's objects: ours, or the function's. */
final class Serialization {
    private static final String SERVICE = "META-INF/services/" + CustomPojoSerializer.class.getName();

    private final CustomPojoSerializer own;

    private Serialization(CustomPojoSerializer own) {
        this.own = own;
    }

    /** The serialization of the function whose classes the current thread loads. */
    static Serialization load() {
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        if (loader.getResource(SERVICE) == null) {
            return new Serialization(null);
        }
        try {
            Iterator<CustomPojoSerializer> found = ServiceLoader.load(CustomPojoSerializer.class, loader).iterator();
            CustomPojoSerializer one = found.next();
            if (found.hasNext()) {
                throw new Fault("Too many serializers provided inside the META-INF/services folder, only one is allowed",
                        "com.amazonaws.services.lambda.runtime.api.client.TooManyServiceProvidersFoundException", null);
            }
            return new Serialization(one);
        } catch (ServiceConfigurationError error) {
            throw new Fault("The function's serializer cannot be loaded: " + error.getMessage(),
                    error.getClass().getName(), error);
        }
    }

    Object read(byte[] event, Type wanted) {
        try {
            return own == null
                    ? Binder.bind(new JsonReader(event).read(), wanted)
                    : own.fromJson(new ByteArrayInputStream(event), wanted);
        } catch (RuntimeException error) {
            throw new Fault("An error occurred during JSON parsing", "java.lang.RuntimeException", error);
        }
    }

    /** `declared` is the return type of the handler; no result is written as null. */
    byte[] write(Object result, Type declared) {
        try {
            if (own == null || declared == void.class || declared == Void.class) {
                return JsonWriter.write(result, Types.raw(declared));
            }
            ByteArrayOutputStream output = new ByteArrayOutputStream();
            own.toJson(result, output, declared);
            return output.toByteArray();
        } catch (RuntimeException error) {
            throw new Fault("An error occurred during JSON serialization of response",
                    "java.lang.RuntimeException", error);
        }
    }
}
