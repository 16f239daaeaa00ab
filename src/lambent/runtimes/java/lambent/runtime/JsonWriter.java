package lambent.runtime;

import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.Calendar;
import java.util.Collection;
import java.util.Date;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.BaseStream;

/**
 * Writes values as JSON, as Jackson with AWS's settings: JSON's own types, collections, arrays,
 * enums, times and beans. Properties and entries of maps that are null are left out.
 */
final class JsonWriter {
    private static final int DEPTH_MAX = 1000;

    private final StringBuilder json = new StringBuilder();
    private final Style style;
    private int depth;

    private JsonWriter(Style style) {
        this.style = style;
    }

    static byte[] write(Object value) {
        return write(value, Object.class);
    }

    /** The properties of a bean are those of its declared class. */
    static byte[] write(Object value, Class<?> declared) {
        JsonWriter writer = new JsonWriter(Style.of(declared));
        boolean isBean = value != null && declared != Object.class && !Beans.isOfPlatform(declared)
                && !(value instanceof Map || value instanceof Iterable || value instanceof Number)
                && !declared.isEnum() && declared.isInstance(value);
        if (isBean) {
            writer.bean(value, declared);
        } else {
            writer.value(value);
        }
        return writer.json.toString().getBytes(StandardCharsets.UTF_8);
    }

    private void value(Object value) {
        if (++depth > DEPTH_MAX) {
            throw new IllegalArgumentException("the result is nested deeper than " + DEPTH_MAX + " levels");
        }
        if (value instanceof Map) {
            map((Map<?, ?>) value);
        } else if (value instanceof Collection) {
            list(((Collection<?>) value).iterator());
        } else if (!scalar(value) && !other(value)) {
            bean(value, value.getClass());
        }
        depth--;
    }

    /** Whether the value was of such a type, and is written. */
    private boolean scalar(Object value) {
        if (value == null || value instanceof Boolean || value instanceof AtomicBoolean) {
            json.append(value);
        } else if (value instanceof CharSequence || value instanceof Character) {
            string(value.toString());
        } else if (value instanceof Number) {
            number((Number) value);
        } else if (value instanceof Enum) {
            string(((Enum<?>) value).name());
        } else if (value instanceof Date) {
            date((Date) value);
        } else if (value instanceof Calendar) {
            json.append(((Calendar) value).getTimeInMillis());
        } else if (value instanceof byte[]) {
            string(Base64.getEncoder().encodeToString((byte[]) value));
        } else if (value instanceof char[]) {
            string(new String((char[]) value));
        } else if (value instanceof ByteBuffer) {
            ByteBuffer bytes = ((ByteBuffer) value).duplicate();
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            string(Base64.getEncoder().encodeToString(copy));
        } else if (style.isJodaTime(value.getClass())) {
            string(value.toString());
        } else {
            return false;
        }
        return true;
    }

    /** One of Java's own classes that is neither a scalar nor a collection. */
    private boolean other(Object value) {
        if (value.getClass().isArray()) {
            array(value);
            return true;
        }
        boolean isOfPlatform = Beans.isOfPlatform(value.getClass()) && value.getClass() != Object.class;
        return isOfPlatform && (text(Texts.write(value)) || held(value)) || compound(value);
    }

    private boolean text(String text) {
        if (text == null) {
            return false;
        }
        string(text);
        return true;
    }

    /** A value that contains another one, which is written. */
    private boolean held(Object value) {
        if (value instanceof Optional) {
            value(((Optional<?>) value).orElse(null));
        } else if (value instanceof OptionalInt) {
            json.append(((OptionalInt) value).isPresent() ? (Object) ((OptionalInt) value).getAsInt() : null);
        } else if (value instanceof OptionalLong) {
            json.append(((OptionalLong) value).isPresent() ? (Object) ((OptionalLong) value).getAsLong() : null);
        } else if (value instanceof OptionalDouble) {
            value(((OptionalDouble) value).isPresent() ? (Object) ((OptionalDouble) value).getAsDouble() : null);
        } else if (value instanceof AtomicReference) {
            value(((AtomicReference<?>) value).get());
        } else {
            boolean isOfTime = value.getClass().getName().startsWith("java.time.");
            Object time = isOfTime ? Times.write(value) : null;
            if (time != null) {
                value(time);
            }
            return time != null;
        }
        return true;
    }

    private boolean compound(Object value) {
        if (value instanceof Map.Entry) {
            Map.Entry<?, ?> entry = (Map.Entry<?, ?>) value;
            json.append('{');
            entry(true, entry.getKey(), entry.getValue());
            json.append('}');
        } else if (value instanceof Iterable && !isBean(value)) {
            list(((Iterable<?>) value).iterator());
        } else if (value instanceof Iterator) {
            list((Iterator<?>) value);
        } else if (value instanceof BaseStream) {
            list(((BaseStream<?, ?>) value).iterator());
        } else {
            return false;
        }
        return true;
    }

    /** An iterable with properties is written as an object. */
    private boolean isBean(Object value) {
        return !Beans.isOfPlatform(value.getClass()) && Beans.of(value.getClass(), style).hasReadable();
    }

    private void number(Number number) {
        double value = number.doubleValue();
        if ((number instanceof Double || number instanceof Float) && (Double.isNaN(value) || Double.isInfinite(value))) {
            string(number.toString());
        } else {
            json.append(number);
        }
    }

    private void date(Date date) {
        if (style.isOfEvents) {
            json.append(date.getTime() / 1000.0);
        } else {
            json.append(date.getTime());
        }
    }

    private void map(Map<?, ?> map) {
        json.append('{');
        boolean isFirst = true;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            isFirst = entry(isFirst, entry.getKey(), entry.getValue());
        }
        json.append('}');
    }

    private boolean entry(boolean isFirst, Object key, Object value) {
        if (value == null) {
            return isFirst;
        }
        if (key == null) {
            throw new IllegalArgumentException("a map has a null for a name, which JSON cannot say");
        }
        name(isFirst, key instanceof Enum ? ((Enum<?>) key).name()
                : key instanceof Date ? Dates.key((Date) key)
                : key instanceof Class ? ((Class<?>) key).getName()
                : key.toString());
        value(value);
        return false;
    }

    private void bean(Object bean, Class<?> type) {
        json.append('{');
        boolean isFirst = true;
        for (Beans.Property property : Beans.of(type, style).all()) {
            Object value = property.isReadable() ? property.get(bean) : null;
            if (value == bean) {
                throw new IllegalArgumentException("an object of class " + type.getName() + " contains itself");
            }
            if (value != null) {
                name(isFirst, property.name);
                // Version 4 of AWS's event classes has these where version 3 has Joda's times.
                boolean isTime = value instanceof ZonedDateTime && style.usesFields(type);
                value(isTime ? DateTimeFormatter.ISO_OFFSET_DATE_TIME.format((ZonedDateTime) value) : value);
                isFirst = false;
            }
        }
        json.append('}');
    }

    private void name(boolean isFirst, String name) {
        if (!isFirst) {
            json.append(',');
        }
        string(name);
        json.append(':');
    }

    private void list(Iterator<?> list) {
        json.append('[');
        for (String separator = ""; list.hasNext(); separator = ",") {
            json.append(separator);
            value(list.next());
        }
        json.append(']');
    }

    private void array(Object array) {
        json.append('[');
        for (int i = 0; i < Array.getLength(array); i++) {
            json.append(i == 0 ? "" : ",");
            value(Array.get(array, i));
        }
        json.append(']');
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

    /** A character that UTF-8 cannot represent. */
    private static boolean isLoneSurrogate(String text, int at) {
        char one = text.charAt(at);
        if (Character.isHighSurrogate(one)) {
            return at + 1 == text.length() || !Character.isLowSurrogate(text.charAt(at + 1));
        }
        return Character.isLowSurrogate(one) && (at == 0 || !Character.isHighSurrogate(text.charAt(at - 1)));
    }
}
