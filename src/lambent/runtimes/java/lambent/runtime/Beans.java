package lambent.runtime;

import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The properties of a class, with Jackson's rules as AWS sets them: public getters are read, setters
 * of any access are called, public fields are both. Names are those of the JavaBeans specification
 * (`getURL` is `URL`, `isOpen` is `open`), and are case-sensitive. Annotations are ignored.
 */
final class Beans {
    private static final Map<Class<?>, Beans> PLAIN = new ConcurrentHashMap<>();
    private static final Map<Class<?>, Beans> EVENTS = new ConcurrentHashMap<>();

    private final Map<String, Property> properties = new LinkedHashMap<>();
    private final Class<?> type;
    private final Style style;

    /** One property of a class, with its getter, setter and field, as far as they exist. */
    static final class Property {
        final String name;
        private Method getter;
        private Method setter;
        private Field field;
        private boolean isAmbiguous;

        Property(String name) {
            this.name = name;
        }

        boolean isReadable() {
            return getter != null || field != null;
        }

        boolean isWritable() {
            return setter != null || field != null;
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

        /** The type of the value to set. */
        Type type() {
            return setter != null ? setter.getGenericParameterTypes()[0] : field.getGenericType();
        }
    }

    private Beans(Class<?> type, Style style) {
        this.type = type;
        this.style = style;
        boolean usesFields = style.usesFields(type);
        for (Field field : fieldsOf(type).values()) {
            if (usesFields || Modifier.isPublic(field.getModifiers())) {
                property(field.getDeclaringClass(), field.getName()).field = accessible(field);
            }
        }
        if (usesFields) {
            return;
        }
        Map<String, Field> components = isRecord(type) ? fieldsOf(type) : new TreeMap<>();
        for (Method method : methods(type)) {
            if (method.getParameterCount() == 0 && Modifier.isPublic(method.getModifiers())) {
                addGetter(method, components.containsKey(method.getName()));
            }
        }
        for (Method method : methods(type)) {
            if (method.getParameterCount() == 1 && method.getName().startsWith("set")) {
                addSetter(method);
            }
        }
    }

    static Beans of(Class<?> type, Style style) {
        return (style.isOfEvents ? EVENTS : PLAIN).computeIfAbsent(type, one -> new Beans(one, style));
    }

    /** In the order of the class's fields, then by name. */
    Collection<Property> all() {
        return properties.values();
    }

    /** Raises IllegalArgumentException if a property has setters of equal rank. */
    void checkSetters() {
        for (Property property : properties.values()) {
            if (property.isAmbiguous) {
                throw new IllegalArgumentException(
                        type.getName() + " has conflicting setters for property " + property.name);
            }
        }
    }

    boolean hasReadable() {
        return properties.values().stream().anyMatch(Property::isReadable);
    }

    /** Null if no property has this name. */
    Property named(String name) {
        return properties.get(name);
    }

    /** Whether a class is Java's own, whose fields are private to it. */
    static boolean isOfPlatform(Class<?> type) {
        return type.getName().startsWith("java.") || type.getName().startsWith("javax.")
                || type.getName().startsWith("jdk.") || type.getName().startsWith("sun.");
    }

    /** Records are newer than the Java this is written for. */
    static boolean isRecord(Class<?> type) {
        return type.getSuperclass() != null && type.getSuperclass().getName().equals("java.lang.Record");
    }

    private void addGetter(Method method, boolean isOfComponent) {
        String name = method.getName();
        Class<?> result = method.getReturnType();
        if (result == void.class || method.getDeclaringClass() == Object.class) {
            return;
        }
        String stem = name;
        if (name.startsWith("get")) {
            stem = name.substring(3);
        } else if (name.startsWith("is") && (result == boolean.class || result == Boolean.class)) {
            stem = name.substring(2);
        } else if (!isOfComponent) {
            return;
        }
        if (!stem.isEmpty()) {
            Property property = property(method.getDeclaringClass(), decapitalized(stem));
            if (property.getter == null || name.startsWith("get")) {
                property.getter = accessible(method);
            }
        }
    }

    private void addSetter(Method method) {
        if (method.getName().length() == 3) {
            return;
        }
        Property property = property(method.getDeclaringClass(), decapitalized(method.getName().substring(3)));
        Method other = property.setter;
        if (other != null && other.getDeclaringClass() != method.getDeclaringClass()) {
            return; // The subclass's, which has precedence.
        }
        int better = other == null ? 1 : rank(method) - rank(other);
        property.isAmbiguous = better == 0 || property.isAmbiguous && better < 0;
        if (better > 0) {
            property.setter = accessible(method);
        }
    }

    /** If a class has several setters, the one of a primitive type counts, else that of a text. */
    private static int rank(Method setter) {
        Class<?> given = setter.getParameterTypes()[0];
        return given.isPrimitive() ? 2 : given == String.class ? 1 : 0;
    }

    private Property property(Class<?> declaredBy, String name) {
        // A property that a subclass declares again has the name from its superclass.
        String own = style.name(declaredBy, name);
        return properties.computeIfAbsent(own.equals(name) ? style.name(type, name) : own, Property::new);
    }

    /** `open` of `Open`, but `URL` of `URL`. */
    private static String decapitalized(String stem) {
        boolean isAbbreviation = stem.length() > 1 && Character.isUpperCase(stem.charAt(1));
        return isAbbreviation ? stem : Character.toLowerCase(stem.charAt(0)) + stem.substring(1);
    }

    /** Methods of the class, its superclasses and interfaces that implement some, each once. */
    private static Collection<Method> methods(Class<?> type) {
        Map<String, Method> methods = new LinkedHashMap<>();
        for (Class<?> one : lineage(type)) {
            Map<String, Method> sorted = new TreeMap<>();
            for (Method method : one.getDeclaredMethods()) {
                boolean isCallable = !isOfPlatform(one) || Modifier.isPublic(one.getModifiers() & method.getModifiers());
                if (isCallable && !Modifier.isStatic(method.getModifiers()) && !method.isSynthetic()) {
                    sorted.put(method.toString(), method);
                }
            }
            for (Method method : sorted.values()) {
                methods.putIfAbsent(method.getName() + Arrays.toString(method.getParameterTypes()), method);
            }
        }
        return methods.values();
    }

    /** A class, its superclasses, and their interfaces, most specific first; without Object. */
    private static Set<Class<?>> lineage(Class<?> type) {
        Set<Class<?>> lineage = new LinkedHashSet<>();
        for (Class<?> one = type; one != null && one != Object.class; one = one.getSuperclass()) {
            lineage.add(one);
        }
        for (Class<?> one : lineage.toArray(new Class<?>[0])) {
            addInterfaces(one, lineage);
        }
        return lineage;
    }

    private static void addInterfaces(Class<?> type, Set<Class<?>> lineage) {
        for (Class<?> one : type.getInterfaces()) {
            lineage.add(one);
            addInterfaces(one, lineage);
        }
    }

    /** Every field of the superclasses and of the class itself. */
    static Map<String, Field> fieldsOf(Class<?> type) {
        Class<?> parent = type.getSuperclass();
        boolean isRoot = parent == null || isOfPlatform(type);
        Map<String, Field> fields = isRoot ? new LinkedHashMap<>() : fieldsOf(parent);
        if (!isOfPlatform(type)) {
            for (Field field : type.getDeclaredFields()) {
                int ignored = Modifier.STATIC | Modifier.TRANSIENT;
                if ((field.getModifiers() & ignored) == 0 && !field.isSynthetic()) {
                    fields.put(field.getName(), field);
                }
            }
        }
        return fields;
    }

    /** Public members of classes that are not public need this too; Java's own are public. */
    private static <T extends AccessibleObject & java.lang.reflect.Member> T accessible(T member) {
        if (!isOfPlatform(member.getDeclaringClass())) {
            member.setAccessible(true);
        }
        return member;
    }

    /** Throws a checked exception where none may be declared. */
    @SuppressWarnings("unchecked")
    static <E extends Throwable> RuntimeException thrown(Throwable error) throws E {
        throw (E) error;
    }
}
