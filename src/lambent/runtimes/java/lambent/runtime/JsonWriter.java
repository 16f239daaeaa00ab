package lambent.runtime;

import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Calendar;
import java.util.Date;
import java.util.Map;

/** Writes values as JSON: what JSON has, collections, arrays, enums, dates and beans. */
final class JsonWriter {
    private static final int DEPTH_MAX = 1000;

    private final StringBuilder json = new StringBuilder();
    private int depth;

    private JsonWriter() {}

    static byte[] write(Object value) {
        JsonWriter writer = new JsonWriter();
        writer.value(value);
        return writer.json.toString().getBytes(StandardCharsets.UTF_8);
    }

    private void value(Object value) {
        if (++depth > DEPTH_MAX) {
            throw new IllegalArgumentException("the result is nested deeper than " + DEPTH_MAX + " levels");
        }
        if (value == null || value instanceof Boolean) {
            json.append(value);
        } else if (value instanceof CharSequence || value instanceof Character) {
            string(value.toString());
        } else if (value instanceof Number) {
            number((Number) value);
        } else if (value instanceof Map) {
            map((Map<?, ?>) value);
        } else if (value instanceof Iterable && !(value instanceof java.nio.file.Path)) {
            list((Iterable<?>) value);
        } else if (value.getClass().isArray()) {
            array(value);
        } else if (value instanceof Enum) {
            string(((Enum<?>) value).name());
        } else if (value instanceof Date) {
            json.append(((Date) value).getTime());
        } else if (value instanceof Calendar) {
            json.append(((Calendar) value).getTimeInMillis());
        } else if (value instanceof ByteBuffer) {
            ByteBuffer bytes = ((ByteBuffer) value).duplicate();
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            string(Base64.getEncoder().encodeToString(copy));
        } else if (value.getClass() != Object.class && Beans.isOfPlatform(value.getClass())) {
            string(value.toString());
        } else {
            bean(value);
        }
        depth--;
    }

    private void number(Number number) {
        double value = number.doubleValue();
        if ((number instanceof Double || number instanceof Float) && (Double.isNaN(value) || Double.isInfinite(value))) {
            string(number.toString());
        } else if (Beans.isOfPlatform(number.getClass())) {
            json.append(number);
        } else {
            bean(number);
        }
    }

    private void map(Map<?, ?> map) {
        json.append('{');
        boolean isFirst = true;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            Object key = entry.getKey();
            isFirst = name(isFirst, key instanceof Enum ? ((Enum<?>) key).name() : String.valueOf(key));
            value(entry.getValue());
        }
        json.append('}');
    }

    /** Properties without a value are left out. */
    private void bean(Object bean) {
        json.append('{');
        boolean isFirst = true;
        for (Beans.Property property : Beans.of(bean.getClass()).readable) {
            Object value = property.get(bean);
            if (value != null) {
                isFirst = name(isFirst, property.name);
                value(value);
            }
        }
        json.append('}');
    }

    private boolean name(boolean isFirst, String name) {
        if (!isFirst) {
            json.append(',');
        }
        string(name);
        json.append(':');
        return false;
    }

    private void list(Iterable<?> list) {
        json.append('[');
        String separator = "";
        for (Object element : list) {
            json.append(separator);
            separator = ",";
            value(element);
        }
        json.append(']');
    }

    private void array(Object array) {
        if (array instanceof byte[]) {
            string(Base64.getEncoder().encodeToString((byte[]) array));
        } else if (array instanceof char[]) {
            string(new String((char[]) array));
        } else {
            json.append('[');
            for (int i = 0; i < Array.getLength(array); i++) {
                json.append(i == 0 ? "" : ",");
                value(Array.get(array, i));
            }
            json.append(']');
        }
    }

    private void string(String text) {
        json.append('"');
        for (int i = 0; i < text.length(); i++) {
            char one = text.charAt(i);
            if (one == '"' || one == '\\') {
                json.append('\\').append(one);
            } else if (one == '\n') {
                json.append("\\n");
            } else if (one == '\r') {
                json.append("\\r");
            } else if (one == '\t') {
                json.append("\\t");
            } else if (one < ' ' || isLoneSurrogate(text, i)) {
                json.append(String.format("\\u%04x", (int) one));
            } else {
                json.append(one);
            }
        }
        json.append('"');
    }

    /** Which UTF-8 cannot say. */
    private static boolean isLoneSurrogate(String text, int at) {
        char one = text.charAt(at);
        if (Character.isHighSurrogate(one)) {
            return at + 1 == text.length() || !Character.isLowSurrogate(text.charAt(at + 1));
        }
        return Character.isLowSurrogate(one) && (at == 0 || !Character.isHighSurrogate(text.charAt(at - 1)));
    }
}
