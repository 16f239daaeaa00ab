package example;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Type;
import java.util.Map;

/** Reads an event as a text and writes what it was asked for. */
public class Shouting implements CustomPojoSerializer {
    @Override
    @SuppressWarnings("unchecked")
    public <T> T fromJson(InputStream input, Type type) {
        try {
            return (T) Map.of("text", new String(input.readAllBytes()));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    @Override
    public <T> T fromJson(String input, Type type) {
        throw new UnsupportedOperationException();
    }

    @Override
    public <T> void toJson(T value, OutputStream output, Type type) {
        Object text = ((Map<?, ?>) ((Map<?, ?>) value).get("got")).get("text");
        String quoted = text.toString().replace("\"", "\\\"");
        try {
            output.write(("{\"got\": \"" + quoted + "\", \"type\": \"" + type.getTypeName() + "\"}").getBytes());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
