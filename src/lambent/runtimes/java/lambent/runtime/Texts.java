package lambent.runtime;

import java.io.File;
import java.lang.reflect.Executable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URL;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.Currency;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.UUID;
import java.util.regex.Pattern;

/** Java's own classes that are a text in JSON. */
final class Texts {
    /** The method that creates one from a text; an empty name means the constructor. */
    private static final Map<Class<?>, String> MAKERS = new HashMap<>();

    static {
        MAKERS.put(UUID.class, "fromString");
        MAKERS.put(URI.class, "create");
        MAKERS.put(URL.class, "");
        MAKERS.put(File.class, "");
        MAKERS.put(Class.class, "forName");
        MAKERS.put(Locale.class, "forLanguageTag");
        MAKERS.put(Currency.class, "getInstance");
        MAKERS.put(Pattern.class, "compile");
        MAKERS.put(Charset.class, "forName");
        MAKERS.put(InetAddress.class, "getByName");
        MAKERS.put(TimeZone.class, "getTimeZone");
        MAKERS.put(Path.class, "");
        MAKERS.put(InetSocketAddress.class, "");
    }

    private Texts() {}

    static boolean isText(Class<?> type) {
        return MAKERS.containsKey(type);
    }

    static Object read(Object value, Class<?> type) {
        if (!(value instanceof String)) {
            throw Scalars.misfit(value, type);
        }
        String text = ((String) value).trim();
        if (text.isEmpty() && type != Path.class) {
            return type == URI.class ? URI.create("") : type == Locale.class ? Locale.ROOT : null;
        }
        if (type == Path.class) {
            boolean isUri = text.matches("[a-z]{2,}:.*");
            return isUri ? java.nio.file.Paths.get(URI.create(text)) : new File(text).toPath();
        }
        if (type == InetSocketAddress.class) {
            int colon = text.lastIndexOf(':');
            return new InetSocketAddress(text.substring(0, colon), Integer.parseInt(text.substring(colon + 1)));
        }
        if (type == Class.class) {
            return classNamed(text);
        }
        return make(type, MAKERS.get(type), type == Locale.class ? text.replace('_', '-') : text);
    }

    /** The text of such an object; null for other classes. */
    static String write(Object value) {
        if (value instanceof Class) {
            return ((Class<?>) value).getName();
        }
        if (value instanceof File) {
            return ((File) value).getAbsolutePath();
        }
        if (value instanceof Path) {
            return ((Path) value).toUri().toString();
        }
        if (value instanceof TimeZone) {
            return ((TimeZone) value).getID();
        }
        if (value instanceof InetSocketAddress) {
            InetSocketAddress address = (InetSocketAddress) value;
            return (address.isUnresolved() ? address.getHostString() : host(address.getAddress()))
                    + ":" + address.getPort();
        }
        if (value instanceof InetAddress) {
            return host((InetAddress) value);
        }
        for (Class<?> type : new Class<?>[] {
            UUID.class, URI.class, URL.class, Locale.class, Currency.class, Pattern.class, Charset.class,
        }) {
            if (type.isInstance(value)) {
                return value.toString();
            }
        }
        return null;
    }

    /** The name of a host, or its address if it has none. */
    private static String host(InetAddress address) {
        String text = address.toString();
        int slash = text.indexOf('/');
        return slash > 0 ? text.substring(0, slash) : text.substring(slash + 1);
    }

    private static Object classNamed(String name) {
        try {
            return Class.forName(name, true, Thread.currentThread().getContextClassLoader());
        } catch (ClassNotFoundException error) {
            throw new IllegalArgumentException("there is no class " + name, error);
        }
    }

    static Object make(Class<?> type, String maker, Object value) {
        if (!(value instanceof String)) {
            throw Scalars.misfit(value, type);
        }
        try {
            Executable found = maker.isEmpty() ? type.getConstructor(String.class) : type.getMethod(maker, String.class);
            return found instanceof Method
                    ? ((Method) found).invoke(null, value)
                    : ((java.lang.reflect.Constructor<?>) found).newInstance(value);
        } catch (InvocationTargetException error) {
            throw Beans.<RuntimeException>thrown(error.getCause());
        } catch (ReflectiveOperationException error) {
            throw new IllegalArgumentException("cannot make a " + type.getName() + " of a string", error);
        }
    }
}
