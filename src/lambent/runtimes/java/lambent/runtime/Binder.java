package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** Makes the object a handler wants of what was read from JSON. */
final class Binder {
    private Binder() {}

    /** `type` must be resolved. Raises IllegalArgumentException if the value does not fit. */
    static Object bind(Object value, Type type) {
        Class<?> raw = Types.raw(type);
        if (value == null) {
            return raw.isPrimitive() ? Array.get(Array.newInstance(raw, 1), 0) : null;
        }
        if (raw == Object.class || raw == java.io.Serializable.class) {
            return value;
        }
        if (Scalars.isScalar(raw)) {
            return Scalars.convert(value, raw);
        }
        if (raw.isArray()) {
            return array(value, raw.getComponentType(), type);
        }
        if (Collection.class.isAssignableFrom(raw) || raw == Iterable.class) {
            return collection(value, raw, argument(type, Collection.class, 0));
        }
        if (Map.class.isAssignableFrom(raw)) {
            return map(value, raw, argument(type, Map.class, 0), argument(type, Map.class, 1));
        }
        if (value instanceof Map && !Beans.isOfPlatform(raw)) {
            return bean((Map<?, ?>) value, type);
        }
        return Scalars.parse(value, raw);
    }

    /** What the parameter of a collection or map stands for in `type`. */
    private static Type argument(Type type, Class<?> of, int index) {
        Class<?> declared = Types.raw(type) == Iterable.class ? Iterable.class : of;
        Type found = Types.variables(type).get(declared.getTypeParameters()[index]);
        return found == null ? Object.class : found;
    }

    private static Object array(Object value, Class<?> element, Type type) {
        if (value instanceof String && element == byte.class) {
            return java.util.Base64.getDecoder().decode((String) value);
        }
        if (value instanceof String && element == char.class) {
            return ((String) value).toCharArray();
        }
        List<?> values = list(value);
        Object array = Array.newInstance(element, values.size());
        for (int i = 0; i < values.size(); i++) {
            Array.set(array, i, bind(values.get(i), element));
        }
        return array;
    }

    private static Collection<Object> collection(Object value, Class<?> raw, Type element) {
        Collection<Object> collection = emptyCollection(raw);
        for (Object one : list(value)) {
            collection.add(bind(one, element));
        }
        return collection;
    }

    /** A value on its own is a list of one. */
    private static List<?> list(Object value) {
        return value instanceof List ? (List<?>) value : Collections.singletonList(value);
    }

    @SuppressWarnings("unchecked")
    private static Collection<Object> emptyCollection(Class<?> raw) {
        if (!Modifier.isAbstract(raw.getModifiers())) {
            return (Collection<Object>) create(raw);
        }
        if (raw.isAssignableFrom(ArrayList.class)) {
            return new ArrayList<>();
        }
        if (raw.isAssignableFrom(LinkedHashSet.class)) {
            return new LinkedHashSet<>();
        }
        if (raw.isAssignableFrom(TreeSet.class)) {
            return new TreeSet<>();
        }
        if (raw.isAssignableFrom(ArrayDeque.class)) {
            return new ArrayDeque<>();
        }
        throw new IllegalArgumentException("cannot make a " + raw.getName());
    }

    private static Map<Object, Object> map(Object value, Class<?> raw, Type key, Type element) {
        Map<Object, Object> map = emptyMap(raw, key);
        for (Map.Entry<?, ?> entry : object(value, raw).entrySet()) {
            map.put(bind(entry.getKey(), key), bind(entry.getValue(), element));
        }
        return map;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Map<Object, Object> emptyMap(Class<?> raw, Type key) {
        if (raw == EnumMap.class) {
            return new EnumMap(Types.raw(key));
        }
        if (!Modifier.isAbstract(raw.getModifiers())) {
            return (Map<Object, Object>) create(raw);
        }
        return raw.isAssignableFrom(LinkedHashMap.class) ? new LinkedHashMap<>() : new TreeMap<>();
    }

    private static Object bean(Map<?, ?> object, Type type) {
        Class<?> raw = Types.raw(type);
        Map<TypeVariable<?>, Type> variables = Types.variables(type);
        if (Beans.isRecord(raw)) {
            return record(object, raw, variables);
        }
        Object bean = create(raw);
        Beans described = Beans.of(raw);
        for (Map.Entry<?, ?> entry : object.entrySet()) {
            Beans.Property property = described.writable.get(((String) entry.getKey()).toLowerCase(Locale.ROOT));
            if (property != null) {
                property.set(bean, bind(entry.getValue(), Types.resolve(property.type(), variables)));
            }
        }
        return bean;
    }

    /** By the constructor that takes all fields, in their order. */
    private static Object record(Map<?, ?> object, Class<?> raw, Map<TypeVariable<?>, Type> variables) {
        Map<String, Object> values = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        object.forEach((name, value) -> values.put((String) name, value));
        List<Class<?>> types = new ArrayList<>();
        List<Object> arguments = new ArrayList<>();
        for (Field field : Beans.fieldsOf(raw).values()) {
            types.add(field.getType());
            Type wanted = Types.resolve(field.getGenericType(), variables);
            arguments.add(bind(values.get(field.getName()), wanted));
        }
        try {
            Constructor<?> constructor = raw.getDeclaredConstructor(types.toArray(new Class<?>[0]));
            constructor.setAccessible(true);
            return constructor.newInstance(arguments.toArray());
        } catch (InvocationTargetException error) {
            throw Beans.<RuntimeException>thrown(error.getCause());
        } catch (ReflectiveOperationException error) {
            throw new IllegalArgumentException("cannot make a " + raw.getName(), error);
        }
    }

    /** By the constructor without parameters; without one, with nothing set, as JSON will do that. */
    private static Object create(Class<?> type) {
        if (Modifier.isAbstract(type.getModifiers())) {
            throw new IllegalArgumentException("cannot make a " + type.getName() + ": it is abstract");
        }
        try {
            Constructor<?> constructor = type.getDeclaredConstructor();
            if (!Modifier.isPublic(constructor.getModifiers()) || !Modifier.isPublic(type.getModifiers())) {
                constructor.setAccessible(true);
            }
            return constructor.newInstance();
        } catch (NoSuchMethodException error) {
            return allocate(type);
        } catch (InvocationTargetException error) {
            throw Beans.<RuntimeException>thrown(error.getCause());
        } catch (ReflectiveOperationException error) {
            throw new IllegalArgumentException("cannot make a " + type.getName(), error);
        }
    }

    private static Object allocate(Class<?> type) {
        try {
            Class<?> unsafe = Class.forName("sun.misc.Unsafe");
            Field instance = unsafe.getDeclaredField("theUnsafe");
            instance.setAccessible(true);
            return unsafe.getMethod("allocateInstance", Class.class).invoke(instance.get(null), type);
        } catch (ReflectiveOperationException error) {
            throw new IllegalArgumentException(
                    "cannot make a " + type.getName() + ": it has no constructor without parameters", error);
        }
    }

    private static Map<?, ?> object(Object value, Class<?> wanted) {
        if (!(value instanceof Map)) {
            throw Scalars.misfit(value, wanted);
        }
        return (Map<?, ?>) value;
    }
}
