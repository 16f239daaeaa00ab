package lambent.runtime;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Base64;
import java.util.Calendar;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** Single values, as tolerant as in Jackson: numbers may be text, and text may be numbers. */
final class Scalars {
    private static final int BYTE_MAX = 255;
    private static final int SCALE_MAX = 100_000;

    /** The less frequent types; loaded only when they are needed. */
    private static final class Known {
        static final Set<Class<?>> TYPES = new HashSet<>(Arrays.<Class<?>>asList(
                CharSequence.class, StringBuilder.class, StringBuffer.class, Number.class,
                BigInteger.class, BigDecimal.class, Date.class, Calendar.class, GregorianCalendar.class,
                ByteBuffer.class, Boolean.class, Character.class, Byte.class, Short.class, Integer.class, Long.class,
                Float.class, Double.class, AtomicBoolean.class, AtomicInteger.class, AtomicLong.class));
    }

    private Scalars() {}

    static boolean isScalar(Class<?> type) {
        return type.isPrimitive() || type == String.class || type.isEnum()
                || Beans.isOfPlatform(type) && type != Map.class && type != List.class && Known.TYPES.contains(type);
    }

    static Object convert(Object value, Class<?> type, boolean isSeconds) {
        if (value instanceof Map || value instanceof List) {
            throw misfit(value, type);
        }
        if (CharSequence.class.isAssignableFrom(type)) {
            return text(value.toString(), type);
        }
        if (type == char.class || type == Character.class) {
            return character(value, type);
        }
        if (type == ByteBuffer.class && value instanceof String) {
            return ByteBuffer.wrap(base64((String) value));
        }
        if (type == Date.class && isSeconds) {
            double seconds = value instanceof Boolean ? 0 : Dates.seconds(value.toString());
            return seconds == 0 ? null : new Date((long) (seconds * 1000));
        }
        String text = value instanceof String ? ((String) value).trim() : null;
        if (text != null && (text.isEmpty() || text.equals("null") && !type.isEnum())) {
            return type.isPrimitive() ? convert(0, type, false) : null;
        }
        if (type.isEnum()) {
            return constant(text == null ? value : text, type);
        }
        if (type == Date.class) {
            return Dates.read(value);
        }
        if (Calendar.class.isAssignableFrom(type)) {
            return Dates.calendar(Dates.read(value));
        }
        return type == boolean.class || type == Boolean.class || type == AtomicBoolean.class
                ? truth(value, type)
                : number(value, type);
    }

    static IllegalArgumentException misfit(Object value, Class<?> type) {
        String found = value instanceof Map ? "an object" : value instanceof List ? "an array"
                : value instanceof String ? "a string" : value instanceof Boolean ? "a boolean" : "a number";
        return new IllegalArgumentException("cannot make a " + type.getName() + " of " + found);
    }

    /** Padded, with white space only between groups of four characters. */
    static byte[] base64(String text) {
        for (String part : text.trim().split("\\s+")) {
            if (part.length() % 4 != 0) {
                throw new IllegalArgumentException("base64 text is not padded");
            }
        }
        return Base64.getDecoder().decode(text.replaceAll("\\s", ""));
    }

    private static Object text(String text, Class<?> type) {
        if (type == StringBuilder.class) {
            return new StringBuilder(text);
        }
        return type == StringBuffer.class ? new StringBuffer(text) : text;
    }

    private static Object character(Object value, Class<?> type) {
        if (value instanceof Integer && (int) value >= 0 && (int) value <= Character.MAX_VALUE) {
            return (char) (int) value;
        }
        if ("".equals(value)) {
            return type.isPrimitive() ? (Character) '\0' : null;
        }
        if (!(value instanceof String) || ((String) value).length() != 1) {
            throw misfit(value, type);
        }
        return ((String) value).charAt(0);
    }

    /** By name, or by index; null if there is none. */
    private static Object constant(Object value, Class<?> type) {
        Object[] constants = type.getEnumConstants();
        for (Object constant : constants) {
            if (((Enum<?>) constant).name().equals(value)) {
                return constant;
            }
        }
        if (value instanceof Boolean || value instanceof Decimal) {
            throw misfit(value, type);
        }
        if (!value.toString().matches("0|[1-9]\\d{0,8}")) {
            return null;
        }
        int place = Integer.parseInt(value.toString());
        return place < constants.length ? constants[place] : null;
    }

    private static Object truth(Object value, Class<?> type) {
        Boolean truth = null;
        if (value instanceof Boolean) {
            truth = (Boolean) value;
        } else if (value instanceof String) {
            String text = ((String) value).trim();
            boolean isTrue = text.matches("true|True|TRUE");
            truth = isTrue || text.matches("false|False|FALSE") ? (Boolean) isTrue : null;
        } else if (!(value instanceof Decimal || value instanceof Double)) {
            truth = !value.toString().equals("0");
        }
        if (truth == null) {
            throw misfit(value, type);
        }
        return type == AtomicBoolean.class ? (Object) new AtomicBoolean(truth) : truth;
    }

    private static Object number(Object value, Class<?> type) {
        if (value instanceof Boolean || type == ByteBuffer.class) {
            throw misfit(value, type);
        }
        String text = value.toString().trim();
        if (type == double.class || type == Double.class) {
            return real(text);
        }
        if (type == float.class || type == Float.class) {
            return Double.isFinite(real(text)) ? (Float) Float.parseFloat(text) : (Float) (float) real(text);
        }
        if (type == Number.class) {
            return any(value, text);
        }
        if (type == BigDecimal.class) {
            return new BigDecimal(checked(text));
        }
        // A fraction is dropped, except in a text, which has to be a whole number.
        boolean isFraction = value instanceof Decimal || value instanceof Double;
        return whole(isFraction ? decimal(text).toBigInteger() : new BigInteger(checked(text)), type);
    }

    /** A number of a bounded size: an exponent alone can make it use gigabytes. */
    static BigDecimal decimal(String text) {
        BigDecimal number = new BigDecimal(checked(text));
        if (Math.abs((long) number.scale()) > SCALE_MAX) {
            throw new IllegalArgumentException("the exponent of " + text + " is too large");
        }
        return number;
    }

    private static String checked(String text) {
        if (text.length() > JsonReader.DIGITS_MAX) {
            throw new IllegalArgumentException("a number has more than " + JsonReader.DIGITS_MAX + " digits");
        }
        return text;
    }

    private static double real(String text) {
        switch (text) {
            case "INF":
                return Double.POSITIVE_INFINITY;
            case "-INF":
                return Double.NEGATIVE_INFINITY;
            default:
                return Double.parseDouble(text);
        }
    }

    /** The smallest type that can hold it. */
    private static Number any(Object value, String text) {
        if (!(value instanceof String)) {
            return (Number) JsonReader.plain(value);
        }
        if (!text.matches("-?\\d+")) {
            return real(text);
        }
        BigInteger whole = new BigInteger(checked(text));
        if (whole.bitLength() >= Long.SIZE) {
            return whole;
        }
        return whole.bitLength() < Integer.SIZE ? (Number) whole.intValue() : (Number) whole.longValue();
    }

    private static Object whole(BigInteger whole, Class<?> type) {
        if (type == BigInteger.class) {
            return whole;
        }
        if (type == long.class || type == Long.class) {
            return whole.longValueExact();
        }
        if (type == AtomicLong.class) {
            return new AtomicLong(whole.longValueExact());
        }
        int number = whole.intValueExact();
        if (type == int.class || type == Integer.class) {
            return number;
        }
        if (type == AtomicInteger.class) {
            return new AtomicInteger(number);
        }
        if (type == short.class || type == Short.class) {
            return whole.shortValueExact();
        }
        if (number < Byte.MIN_VALUE || number > BYTE_MAX) {
            throw new IllegalArgumentException(number + " is out of the range of a byte");
        }
        return (byte) number;
    }
}
