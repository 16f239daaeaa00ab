package lambent.runtime;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.LinkedBlockingDeque;

/** Creates empty collections, maps and beans; for interfaces the classes that Jackson uses. */
final class Containers {
    private Containers() {}

    @SuppressWarnings({"unchecked", "rawtypes"})
    static Collection<Object> collection(Class<?> type, Class<?> element) {
        if (EnumSet.class.isAssignableFrom(type)) {
            return (Collection) EnumSet.noneOf((Class) element);
        }
        if (!Modifier.isAbstract(type.getModifiers())) {
            return (Collection<Object>) create(type);
        }
        if (type.isAssignableFrom(ArrayList.class)) {
            return new ArrayList<>();
        }
        if (type.isAssignableFrom(HashSet.class)) {
            return new HashSet<>();
        }
        if (type.isAssignableFrom(TreeSet.class)) {
            return new TreeSet<>();
        }
        if (type.isAssignableFrom(LinkedList.class)) {
            return new LinkedList<>();
        }
        if (BlockingQueue.class.isAssignableFrom(type) && type.isAssignableFrom(LinkedBlockingDeque.class)) {
            return new LinkedBlockingDeque<>();
        }
        throw new IllegalArgumentException("cannot make a " + type.getName());
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static Map<Object, Object> map(Class<?> type, Class<?> key) {
        if (type == EnumMap.class) {
            return new EnumMap(key);
        }
        if (!Modifier.isAbstract(type.getModifiers())) {
            return (Map<Object, Object>) create(type);
        }
        if (type.isAssignableFrom(LinkedHashMap.class)) {
            return new LinkedHashMap<>();
        }
        if (type.isAssignableFrom(TreeMap.class)) {
            return new TreeMap<>();
        }
        return type == ConcurrentMap.class ? new ConcurrentHashMap<>() : new ConcurrentSkipListMap<>();
    }

    /** By the constructor without parameters, whatever its access. */
    static Object create(Class<?> type) {
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
            throw new IllegalArgumentException(
                    "cannot make a " + type.getName() + ": it has no constructor without parameters");
        } catch (InvocationTargetException error) {
            throw Beans.<RuntimeException>thrown(error.getCause());
        } catch (ReflectiveOperationException error) {
            throw new IllegalArgumentException("cannot make a " + type.getName(), error);
        }
    }

    /** With no field set and no constructor called. */
    static Object allocate(Class<?> type) {
        try {
            Class<?> unsafe = Class.forName("sun.misc.Unsafe");
            Field instance = unsafe.getDeclaredField("theUnsafe");
            instance.setAccessible(true);
            return unsafe.getMethod("allocateInstance", Class.class).invoke(instance.get(null), type);
        } catch (ReflectiveOperationException error) {
            throw new IllegalArgumentException("cannot make a " + type.getName(), error);
        }
    }
}
