package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;

/** Converts parsed JSON to the object that a handler expects, as Jackson with AWS's settings. */
final class Binder {
    private final Style style;

    private Binder(Style style) {
        this.style = style;
    }

    /** `type` must be resolved. Raises IllegalArgumentException if the value does not fit. */
    static Object bind(Object value, Type type) {
        return new Binder(Style.of(Types.raw(type))).value(value, type);
    }

    private Object value(Object value, Type type) {
        Class<?> raw = Types.raw(type);
        if (raw.getName().startsWith("java.util.") && isReference(raw)) {
            return reference(value, raw, type);
        }
        if (value == null) {
            return raw.isPrimitive() ? Array.get(Array.newInstance(raw, 1), 0) : null;
        }
        if (raw == Void.class) {
            return null;
        }
        if (raw == Object.class || raw == java.io.Serializable.class) {
            return JsonReader.plain(value);
        }
        if (value instanceof List && !takesList(raw)) {
            return value(only((List<?>) value, raw), type);
        }
        if (Scalars.isScalar(raw)) {
            return Scalars.convert(value, raw, style.isOfEvents);
        }
        if (isOfTime(raw) && Times.isTime(raw)) {
            return Times.read(value, raw);
        }
        if (style.isJodaTime(raw)) {
            return Texts.make(raw, "parse", value);
        }
        return compound(value, raw, type);
    }

    private Object compound(Object value, Class<?> raw, Type type) {
        if (value instanceof Map && raw == Map.class) {
            return map((Map<?, ?>) value, raw, argument(type, Map.class, 0), argument(type, Map.class, 1));
        }
        boolean isText = value instanceof String;
        if (raw.isArray() && isText && raw.getComponentType() == byte.class) {
            return Scalars.base64((String) value);
        }
        if (raw.isArray() && isText && raw.getComponentType() == char.class) {
            return ((String) value).toCharArray();
        }
        if (Beans.isOfPlatform(raw) && Texts.isText(raw)) {
            return Texts.read(value, raw);
        }
        if ("".equals(value)) {
            return null;
        }
        if (raw.isArray()) {
            return array(value, type);
        }
        if (Collection.class.isAssignableFrom(raw) || raw == Iterable.class) {
            return collection(value, raw, argument(type, raw == Iterable.class ? raw : Collection.class, 0));
        }
        if (!(value instanceof Map)) {
            throw Scalars.misfit(value, raw);
        }
        Map<?, ?> object = (Map<?, ?>) value;
        if (Properties.class.isAssignableFrom(raw)) {
            return map(object, raw, String.class, String.class);
        }
        if (Map.class.isAssignableFrom(raw)) {
            return map(object, raw, argument(type, Map.class, 0), argument(type, Map.class, 1));
        }
        if (raw == Map.Entry.class && object.size() == 1) {
            return map(object, Map.class, argument(type, raw, 0), argument(type, raw, 1)).entrySet().iterator().next();
        }
        return Beans.isRecord(raw) ? record(object, type) : bean(object, type);
    }

    /** Checked first, because the classes for other types take time to load. */
    private static boolean isOfTime(Class<?> raw) {
        return raw.getName().startsWith("java.time.");
    }

    private static boolean takesList(Class<?> raw) {
        return raw.isArray() || Collection.class.isAssignableFrom(raw) || raw == Iterable.class
                || isOfTime(raw) && Times.takesList(raw);
    }

    /** A list with one element counts as that element, an empty one as null. */
    private static Object only(List<?> values, Class<?> wanted) {
        boolean isNested = values.size() == 1 && values.get(0) instanceof List;
        if (values.size() > 1 || isNested || values.isEmpty() && wanted.isPrimitive()) {
            throw Scalars.misfit(values, wanted);
        }
        return values.isEmpty() ? null : values.get(0);
    }

    private static boolean isReference(Class<?> raw) {
        return raw == Optional.class || raw == AtomicReference.class || raw == OptionalInt.class
                || raw == OptionalLong.class || raw == OptionalDouble.class;
    }

    private Object reference(Object value, Class<?> raw, Type type) {
        boolean isAbsent = value == null || "".equals(value) && raw.getTypeParameters().length == 0;
        if (raw == OptionalInt.class) {
            return isAbsent ? OptionalInt.empty() : OptionalInt.of((int) value(value, int.class));
        }
        if (raw == OptionalLong.class) {
            return isAbsent ? OptionalLong.empty() : OptionalLong.of((long) value(value, long.class));
        }
        if (raw == OptionalDouble.class) {
            return isAbsent ? OptionalDouble.empty() : OptionalDouble.of((double) value(value, double.class));
        }
        Object held = value(value, argument(type, raw, 0));
        return raw == Optional.class ? Optional.ofNullable(held) : new AtomicReference<>(held);
    }

    /** The value of a class's type parameter in `type`. */
    private static Type argument(Type type, Class<?> of, int index) {
        Type found = Types.variables(type).get(of.getTypeParameters()[index]);
        return found == null ? Object.class : found;
    }

    private Object array(Object value, Type type) {
        Type element = Types.element(type);
        List<?> values = list(value);
        Object array = Array.newInstance(Types.raw(element), values.size());
        for (int i = 0; i < values.size(); i++) {
            Array.set(array, i, value(values.get(i), element));
        }
        return array;
    }

    private Collection<Object> collection(Object value, Class<?> raw, Type element) {
        Collection<Object> collection = Containers.collection(raw, Types.raw(element));
        for (Object one : list(value)) {
            Object made = value(one, element);
            if (made != null || !(collection instanceof EnumSet)) {
                collection.add(made);
            }
        }
        return collection;
    }

    /** A single value counts as a list with one element. */
    private static List<?> list(Object value) {
        return value instanceof List ? (List<?>) value : Collections.singletonList(value);
    }

    private Map<Object, Object> map(Map<?, ?> object, Class<?> raw, Type key, Type element) {
        Map<Object, Object> map = Containers.map(raw, Types.raw(key));
        for (Map.Entry<?, ?> entry : object.entrySet()) {
            Object name = value(entry.getKey(), key);
            if (name != null || raw != EnumMap.class) {
                map.put(name, value(entry.getValue(), element));
            }
        }
        return map;
    }

    private Object bean(Map<?, ?> object, Type type) {
        Class<?> raw = Types.raw(type);
        Map<TypeVariable<?>, Type> variables = Types.variables(type);
        Object bean = style.usesFields(raw) ? Containers.allocate(raw) : Containers.create(raw);
        Beans described = Beans.of(raw, style);
        described.checkSetters();
        for (Map.Entry<?, ?> entry : object.entrySet()) {
            Beans.Property property = described.named((String) entry.getKey());
            if (property != null && property.isWritable()) {
                property.set(bean, value(entry.getValue(), Types.resolve(property.type(), variables)));
            }
        }
        return bean;
    }

    /** By the constructor that takes all fields, in their order. */
    private Object record(Map<?, ?> object, Type type) {
        Class<?> raw = Types.raw(type);
        Map<TypeVariable<?>, Type> variables = Types.variables(type);
        List<Class<?>> types = new ArrayList<>();
        List<Object> arguments = new ArrayList<>();
        for (Field field : Beans.fieldsOf(raw).values()) {
            types.add(field.getType());
            arguments.add(value(object.get(field.getName()), Types.resolve(field.getGenericType(), variables)));
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
}
