package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Finds the code that a handler string names: `package.Class` that implements an interface, or
 * `package.Class::method` with any public method.
 *
 * As in AWS, every invocation reports a name that does not exist; an error of code that is being
 * loaded is thrown.
 */
final class HandlerFinder {
    private static final byte[] NULL = {'n', 'u', 'l', 'l'};

    private HandlerFinder() {}

    static Handler find(String name) throws Throwable {
        String[] parts = name.split("::", -1);
        if (parts.length > 2 || parts[0].isEmpty() || parts[parts.length - 1].isEmpty()) {
            return broken("Invalid handler: `" + name + "'", null);
        }
        Class<?> type;
        try {
            type = Class.forName(parts[0], true, Thread.currentThread().getContextClassLoader());
        } catch (ClassNotFoundException error) {
            return broken("Class not found: " + parts[0], error.getClass().getName());
        } catch (LinkageError error) {
            String reason = error.getMessage() == null ? "" : ": " + error.getMessage();
            Throwable cause = error.getCause() == null ? error : error.getCause();
            throw new Fault("Error loading class " + parts[0] + reason, error.getClass().getName(), cause);
        }
        try {
            return parts.length == 2 ? ofMethod(type, parts[1]) : ofInterface(type);
        } catch (NoSuchMethodException error) {
            boolean isInner = type.getEnclosingClass() != null && !Modifier.isStatic(type.getModifiers());
            String reason = isInner ? " cannot be instantiated because it is a non-static inner class"
                    : " has no public zero-argument constructor";
            return broken("Class " + type.getName() + reason, "java.lang.Exception", error);
        }
    }

    private static Handler ofInterface(Class<?> type) throws Throwable {
        if (RequestStreamHandler.class.isAssignableFrom(type)) {
            return streaming((RequestStreamHandler) create(type));
        }
        if (!RequestHandler.class.isAssignableFrom(type)) {
            return broken("Class " + type.getName() + " does not implement an appropriate handler interface", null);
        }
        for (TypeVariable<?> parameter : RequestHandler.class.getTypeParameters()) {
            Type found = Types.variables(type).get(parameter);
            if (found == null) {
                return broken("Class " + type.getName()
                        + " does not implement RequestHandler with concrete type parameters", null);
            }
        }
        return binding(type, create(type), RequestHandler.class.getMethods()[0]);
    }

    private static Handler broken(String message, String type) {
        return broken(message, type, null);
    }

    private static Handler broken(String message, String type, Throwable cause) {
        return (event, context) -> {
            throw new Fault(message, type, cause);
        };
    }

    private static Handler streaming(RequestStreamHandler handler) {
        return (event, context) -> {
            ByteArrayOutputStream output = new ByteArrayOutputStream();
            handler.handleRequest(new ByteArrayInputStream(event), output, context);
            return output.toByteArray();
        };
    }

    /**
     * Order of methods with the same name: bridges, by which a class inherits from one that is not
     * public, come last; else the longest comes first, where a context at the end counts twice.
     */
    private static Handler ofMethod(Class<?> type, String name) throws Throwable {
        Method method = Arrays.stream(type.getMethods())
                .filter(one -> one.getName().equals(name) && isHandler(one))
                .min(Comparator.comparing(Method::isBridge)
                        .thenComparing(one -> -one.getParameterCount() - (hasContext(one) ? 1 : 0))
                        .thenComparing(Method::toString))
                .orElse(null);
        if (method == null) {
            return broken("No public method named " + name + " with appropriate method signature found on class "
                    + type.getName(), null);
        }
        Object owner = Modifier.isStatic(method.getModifiers()) ? null : create(type);
        return isStreaming(method) ? streamingMethod(owner, method) : binding(type, owner, method);
    }

    private static boolean isHandler(Method method) {
        List<Class<?>> own = own(method);
        if (own.size() == 2) {
            return own.get(0) == InputStream.class && own.get(1) == OutputStream.class;
        }
        return own.size() < 2 && !own.contains(Context.class);
    }

    /** The parameters without a context at the end. */
    private static List<Class<?>> own(Method method) {
        return Arrays.asList(method.getParameterTypes())
                .subList(0, method.getParameterCount() - (hasContext(method) ? 1 : 0));
    }

    private static boolean hasContext(Method method) {
        Class<?>[] parameters = method.getParameterTypes();
        return parameters.length > 0 && parameters[parameters.length - 1] == Context.class;
    }

    private static boolean isStreaming(Method method) {
        return own(method).contains(InputStream.class) || own(method).contains(OutputStream.class);
    }

    /** A method of one stream or two; without an output stream the result is null. */
    private static Handler streamingMethod(Object owner, Method method) {
        method.setAccessible(true);
        List<Class<?>> own = own(method);
        return (event, context) -> {
            ByteArrayOutputStream output = new ByteArrayOutputStream();
            List<Object> arguments = new ArrayList<>();
            for (Class<?> parameter : own) {
                arguments.add(parameter == InputStream.class ? new ByteArrayInputStream(event) : output);
            }
            if (hasContext(method)) {
                arguments.add(context);
            }
            call(method, owner, arguments.toArray());
            return own.contains(OutputStream.class) ? output.toByteArray() : NULL;
        };
    }

    /** A method that takes an event as an object, and returns a result that is written as JSON. */
    private static Handler binding(Class<?> type, Object owner, Method method) {
        method.setAccessible(true);
        boolean hasContext = hasContext(method);
        boolean hasEvent = method.getParameterCount() > (hasContext ? 1 : 0);
        Type wanted = hasEvent ? Types.resolve(method.getGenericParameterTypes()[0], Types.variables(type)) : null;
        Type given = Types.resolve(method.getGenericReturnType(), Types.variables(type));
        Serialization serialization = Serialization.load();
        return (event, context) -> {
            List<Object> arguments = new ArrayList<>();
            if (hasEvent) {
                arguments.add(serialization.read(event, wanted));
            }
            if (hasContext) {
                arguments.add(context);
            }
            return serialization.write(call(method, owner, arguments.toArray()), given);
        };
    }

    private static Object call(Method method, Object owner, Object[] arguments) throws Throwable {
        try {
            return method.invoke(owner, arguments);
        } catch (InvocationTargetException error) {
            throw error.getCause();
        }
    }

    private static Object create(Class<?> type) throws Throwable {
        try {
            Constructor<?> constructor = type.getConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (InstantiationException error) {
            throw new Fault("Class " + type.getName() + " cannot be instantiated", "java.lang.Exception", error);
        } catch (InvocationTargetException error) {
            throw error.getCause();
        }
    }
}
