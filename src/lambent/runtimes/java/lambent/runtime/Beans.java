package lambent.runtime;

import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The properties of a class: public getters and setters, and public fields. A class that has no
 * setter for a field is given the field itself, as the event classes of AWS's library need it.
 */
final class Beans {
    private static final Map<Class<?>, Beans> KNOWN = new ConcurrentHashMap<>();

    /** In the order of the class's fields, then by name. */
    final Collection<Property> readable;
    /** By name in lower case: events do not always write names as Java does. */
    final Map<String, Property> writable = new HashMap<>();

    private final Map<String, Property> properties = new LinkedHashMap<>();

    /** One property of a class, with what of it there is. */
    static final class Property {
        final String name;
        private Method getter;
        private Method setter;
        private Field field;

        Property(String name) {
            this.name = name;
        }

        Object get(Object bean) {
            try {
                return getter != null ? getter.invoke(bean) : field.get(bean);
            } catch (InvocationTargetException error) {
                throw Beans.<RuntimeException>thrown(error.getCause());
            } catch (IllegalAccessException error) {
                throw new IllegalStateException(error);
            }
        }

        void set(Object bean, Object value) {
            try {
                if (setter != null) {
                    setter.invoke(bean, value);
                } else {
                    field.set(bean, value);
                }
            } catch (InvocationTargetException error) {
                throw Beans.<RuntimeException>thrown(error.getCause());
            } catch (IllegalAccessException error) {
                throw new IllegalStateException(error);
            }
        }

        /** Of the value to set. */
        Type type() {
            return setter != null ? setter.getGenericParameterTypes()[0] : field.getGenericType();
        }

        Class<?> declaredBy() {
            return setter != null ? setter.getDeclaringClass() : field.getDeclaringClass();
        }

        private boolean isReadable() {
            return getter != null || field != null && Modifier.isPublic(field.getModifiers());
        }

        private boolean isWritable() {
            return setter != null || field != null;
        }
    }

    private Beans(Class<?> type) {
        Map<String, Field> fields = fieldsOf(type);
        for (Field field : fields.values()) {
            property(field.getName()).field = field;
        }
        Map<String, Method> sorted = new TreeMap<>();
        for (Method method : type.getMethods()) {
            if (!Modifier.isStatic(method.getModifiers()) && !method.isBridge()
                    && method.getDeclaringClass() != Object.class) {
                sorted.put(method.toString(), method);
            }
        }
        for (Method method : sorted.values()) {
            if (isRecord(type) && method.getParameterCount() == 0 && fields.containsKey(method.getName())) {
                property(method.getName()).getter = accessible(method);
            }
            addGetter(method, fields);
        }
        for (Method method : sorted.values()) {
            addSetter(method, fields);
        }
        List<Property> read = new ArrayList<>();
        for (Property property : properties.values()) {
            if (property.isReadable()) {
                read.add(property);
            }
            if (property.isWritable()) {
                writable.putIfAbsent(property.name.toLowerCase(Locale.ROOT), property);
            }
        }
        readable = read;
    }

    static Beans of(Class<?> type) {
        return KNOWN.computeIfAbsent(type, Beans::new);
    }

    /** Whether a class is Java's own, whose inside is nobody's business. */
    static boolean isOfPlatform(Class<?> type) {
        return type.getName().startsWith("java.") || type.getName().startsWith("javax.")
                || type.getName().startsWith("jdk.") || type.getName().startsWith("sun.");
    }

    /** Records are newer than the Java this is written for. */
    static boolean isRecord(Class<?> type) {
        return type.getSuperclass() != null && type.getSuperclass().getName().equals("java.lang.Record");
    }

    private void addGetter(Method method, Map<String, Field> fields) {
        String name = method.getName();
        Class<?> result = method.getReturnType();
        if (method.getParameterCount() > 0 || result == void.class) {
            return;
        }
        String stem = null;
        if (name.startsWith("get")) {
            stem = name.substring(3);
        } else if (name.startsWith("is") && (result == boolean.class || result == Boolean.class)) {
            stem = name.substring(2);
        }
        if (stem != null && !stem.isEmpty()) {
            Property property = property(nameOf(stem, fields));
            property.getter = accessible(method);
        }
    }

    private void addSetter(Method method, Map<String, Field> fields) {
        String name = method.getName();
        if (!name.startsWith("set") || name.length() == 3 || method.getParameterCount() != 1) {
            return;
        }
        Property property = property(nameOf(name.substring(3), fields));
        Class<?> type = method.getParameterTypes()[0];
        boolean isOfGetter = property.getter != null && property.getter.getReturnType() == type;
        if (property.setter == null || isOfGetter) {
            property.setter = accessible(method);
        }
    }

    private Property property(String name) {
        return properties.computeIfAbsent(name, Property::new);
    }

    /** `statusCode` of `StatusCode`, `url` of `URL`; `isBase64` of `Base64` if the field is so named. */
    private static String nameOf(String stem, Map<String, Field> fields) {
        int upper = 0;
        while (upper < stem.length() && Character.isUpperCase(stem.charAt(upper))) {
            upper++;
        }
        String name = stem.substring(0, upper).toLowerCase(Locale.ROOT) + stem.substring(upper);
        for (String other : new String[] {Character.toLowerCase(stem.charAt(0)) + stem.substring(1), "is" + stem}) {
            if (!fields.containsKey(name) && fields.containsKey(other)) {
                return other;
            }
        }
        return name;
    }

    /** Every field of the class and of those it extends, its own first. */
    static Map<String, Field> fieldsOf(Class<?> type) {
        Map<String, Field> fields = new LinkedHashMap<>();
        for (Class<?> one = type; one != null && !isOfPlatform(one); one = one.getSuperclass()) {
            for (Field field : one.getDeclaredFields()) {
                int ignored = Modifier.STATIC | Modifier.TRANSIENT;
                if ((field.getModifiers() & ignored) == 0 && !field.isSynthetic()) {
                    fields.putIfAbsent(field.getName(), accessible(field));
                }
            }
        }
        return fields;
    }

    /** Public members of classes that are not public need it too. */
    private static <T extends AccessibleObject> T accessible(T member) {
        member.setAccessible(true);
        return member;
    }

    /** Lets a checked exception through where none may be declared. */
    @SuppressWarnings("unchecked")
    static <E extends Throwable> RuntimeException thrown(Throwable error) throws E {
        throw (E) error;
    }
}
