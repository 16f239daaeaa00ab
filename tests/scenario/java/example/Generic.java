package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.List;
import java.util.SortedSet;

/** What its event is bound to is said by its subclass alone. */
abstract class Base<T> implements RequestHandler<T, List<String>> {
    @Override
    public List<String> handleRequest(T event, Context context) {
        return answer(event);
    }

    protected abstract List<String> answer(T event);
}

public class Generic extends Base<SortedSet<String>> {
    @Override
    protected List<String> answer(SortedSet<String> names) {
        return names.stream().map(String::toUpperCase).toList();
    }
}
