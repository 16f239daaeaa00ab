package lambent.runtime;

import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.Base64;
import java.util.Date;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Single values, as forgiving as AWS's binding: numbers may be written as text and back. */
final class Scalars {
    /** A date below is one in seconds, as some services write them. */
    private static final long MILLISECONDS_FROM = 100_000_000_000L;
    private static final Set<Class<?>> KNOWN = new HashSet<>(Arrays.<Class<?>>asList(
            String.class, CharSequence.class, Number.class, BigInteger.class, BigDecimal.class, Date.class,
            ByteBuffer.class, boolean.class, Boolean.class, char.class, Character.class, byte.class, Byte.class,
            short.class, Short.class, int.class, Integer.class, long.class, Long.class, float.class, Float.class,
            double.class, Double.class));

    private Scalars() {}

    static boolean isScalar(Class<?> type) {
        return KNOWN.contains(type) || type.isEnum();
    }

    static Object convert(Object value, Class<?> type) {
        if (value instanceof Map || value instanceof List) {
            throw misfit(value, type);
        }
        if (type == String.class || type == CharSequence.class) {
            return value.toString();
        }
        if ("".equals(value)) {
            return Binder.bind(null, type);
        }
        if (type.isEnum()) {
            for (Object constant : type.getEnumConstants()) {
                if (((Enum<?>) constant).name().equals(value)) {
                    return constant;
                }
            }
            return null;
        }
        if (type == boolean.class || type == Boolean.class) {
            return truth(value);
        }
        if (type == char.class || type == Character.class) {
            if (!(value instanceof String) || ((String) value).length() != 1) {
                throw misfit(value, type);
            }
            return ((String) value).charAt(0);
        }
        if (type == ByteBuffer.class) {
            return ByteBuffer.wrap(Base64.getDecoder().decode(value.toString()));
        }
        return type == Date.class ? date(value) : number(value, type);
    }

    /** An object that its class makes of a text: an identifier, a time, a version. */
    static Object parse(Object value, Class<?> type) {
        if (type.isInstance(value)) {
            return value;
        }
        if (value instanceof String && ((String) value).isEmpty()) {
            return null;
        }
        if (!(value instanceof Map) && !(value instanceof List)) {
            for (String name : new String[] {"parse", "fromString", "valueOf", "of", "create"}) {
                for (Class<?> parameter : new Class<?>[] {String.class, CharSequence.class}) {
                    try {
                        Method method = type.getMethod(name, parameter);
                        if (Modifier.isStatic(method.getModifiers()) && type.isAssignableFrom(method.getReturnType())) {
                            return make(method, value);
                        }
                    } catch (NoSuchMethodException error) {
                        continue;
                    }
                }
            }
            try {
                return make(type.getConstructor(String.class), value);
            } catch (NoSuchMethodException error) {
                throw misfit(value, type);
            }
        }
        throw misfit(value, type);
    }

    private static Object make(Executable maker, Object value) {
        try {
            return maker instanceof Method
                    ? ((Method) maker).invoke(null, value.toString())
                    : ((Constructor<?>) maker).newInstance(value.toString());
        } catch (InvocationTargetException error) {
            throw Beans.<RuntimeException>thrown(error.getCause());
        } catch (ReflectiveOperationException error) {
            throw misfit(value, maker.getDeclaringClass());
        }
    }

    static IllegalArgumentException misfit(Object value, Class<?> type) {
        String found = value instanceof Map ? "an object" : value instanceof List ? "an array"
                : value instanceof String ? "a string" : value instanceof Boolean ? "a boolean" : "a number";
        return new IllegalArgumentException("cannot make a " + type.getName() + " of " + found);
    }

    private static Boolean truth(Object value) {
        if (value instanceof Number) {
            return ((Number) value).doubleValue() != 0;
        }
        if (value instanceof Boolean || value.equals("true") || value.equals("false")) {
            return Boolean.valueOf(value.toString());
        }
        throw misfit(value, boolean.class);
    }

    private static Date date(Object value) {
        if (value instanceof Number) {
            double number = ((Number) value).doubleValue();
            boolean isSeconds = value instanceof Double || Math.abs(number) < MILLISECONDS_FROM;
            return new Date(isSeconds ? Math.round(number * 1000) : ((Number) value).longValue());
        }
        String text = value.toString();
        return Date.from(text.endsWith("Z") ? Instant.parse(text) : OffsetDateTime.parse(text).toInstant());
    }

    private static Object number(Object value, Class<?> type) {
        if (value instanceof Boolean) {
            throw misfit(value, type);
        }
        if (type == Number.class && value instanceof Number) {
            return value;
        }
        BigDecimal number = new BigDecimal(value.toString());
        if (type == double.class || type == Double.class || type == Number.class) {
            return number.doubleValue();
        }
        if (type == float.class || type == Float.class) {
            return number.floatValue();
        }
        if (type == BigDecimal.class) {
            return number;
        }
        BigInteger whole = number.toBigInteger();
        if (type == BigInteger.class) {
            return whole;
        }
        if (type == long.class || type == Long.class) {
            return whole.longValueExact();
        }
        if (type == int.class || type == Integer.class) {
            return whole.intValueExact();
        }
        return type == short.class || type == Short.class
                ? (Object) whole.shortValueExact()
                : (Object) whole.byteValueExact();
    }
}
