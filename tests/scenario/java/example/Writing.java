package example;

import java.math.BigDecimal;
import java.net.InetAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.TimeZone;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Returns what its event names. */
public class Writing {
    /** Named as people name getters. */
    public static class Names {
        private boolean isBase64Encoded = true;
        public String open = "field";
        public transient String passing = "passing";
        private String shut = "shut";

        public String getID() {
            return "i";
        }

        public String getURL() {
            return "u";
        }

        public String getETag() {
            return "e";
        }

        public String getXAxis() {
            return "x";
        }

        public String getaB() {
            return "a";
        }

        public boolean isBase64Encoded() {
            return isBase64Encoded;
        }

        public Boolean isWrapped() {
            return true;
        }

        public String isText() {
            return "no property";
        }

        public String get() {
            return "no property";
        }

        public String getWith(String argument) {
            return "no property";
        }

        public String getAbsent() {
            return null;
        }

        protected String getHidden() {
            return shut;
        }

        public static String getStatic() {
            return "no property";
        }
    }

    static class HiddenBase {
        public String getBase() {
            return "b";
        }
    }

    public static class Derived extends HiddenBase {
        public String getOwn() {
            return "o";
        }
    }

    public static class Held {
        public Optional<String> empty = Optional.empty();
        public Optional<String> full = Optional.of("v");
        public OptionalInt none = OptionalInt.empty();
        public Optional<String> absent;
    }

    public static class NamedNumbers implements Iterable<Integer> {
        public String getName() {
            return "n";
        }

        @Override
        public Iterator<Integer> iterator() {
            return List.of(1, 2).iterator();
        }
    }

    public static class Circle {
        public Circle getSelf() {
            return this;
        }
    }

    public static class Plain {
        public String getA() {
            return "a";
        }
    }

    public static class More extends Plain {
        public String getB() {
            return "b";
        }
    }

    public enum Color { RED, GREEN { @Override public String toString() { return "other"; } } }

    public Object write(String what) throws Exception {
        Object value = times().get(what);
        return value != null ? value : others().get(what);
    }

    /** The properties are those of the class that is declared. */
    public static Plain declared() {
        return new More();
    }

    private static Map<String, Object> times() {
        Map<String, Object> values = new HashMap<>();
        values.put("day", LocalDate.of(2018, 12, 17));
        values.put("time", LocalTime.of(1, 2));
        values.put("time with nanoseconds", LocalTime.of(1, 2, 0, 5));
        values.put("local", LocalDateTime.of(2018, 1, 2, 3, 4, 5));
        values.put("instant", Instant.ofEpochSecond(1545084650, 500_000_000));
        values.put("duration", Duration.ofMillis(1500));
        values.put("offset", OffsetDateTime.parse("2018-12-17T10:00:00+01:00"));
        values.put("zoned", OffsetDateTime.parse("2018-12-17T10:00:00+01:00").atZoneSameInstant(ZoneId.of("Europe/Paris")));
        values.put("offset time", OffsetTime.parse("10:00+01:00"));
        values.put("year", Year.of(2018));
        values.put("month", YearMonth.of(2018, 2));
        values.put("birthday", MonthDay.of(1, 2));
        values.put("period", Period.ofDays(3));
        values.put("zone", ZoneId.of("Europe/Paris"));
        values.put("date", new Date(1545084650987L));
        values.put("calendar", new GregorianCalendar(TimeZone.getTimeZone("UTC")) {{ setTimeInMillis(5); }});
        return values;
    }

    private static Map<String, Object> others() throws Exception {
        Map<String, Object> values = new HashMap<>();
        Map<String, Object> nulls = new LinkedHashMap<>();
        Map<String, Object> inner = new HashMap<>();
        inner.put("d", null);
        nulls.put("a", null);
        nulls.put("b", Arrays.asList(1, null));
        nulls.put("c", inner);
        values.put("nulls", nulls);
        Map<String, Object> nameless = new HashMap<>();
        nameless.put(null, 1);
        values.put("null key", nameless);
        Map<Object, Object> keys = new LinkedHashMap<>();
        keys.put(new Date(5), 1);
        keys.put(Color.GREEN, 2);
        keys.put(LocalDate.of(2018, 1, 2), 3);
        keys.put(String.class, 4);
        values.put("keys", keys);
        values.put("names", new Names());
        values.put("hidden base", new Derived());
        values.put("held", new Held());
        values.put("circle", new Circle());
        values.put("named numbers", new NamedNumbers());
        values.put("nothing in it", new Object());
        values.put("enum", Color.GREEN);
        values.put("optional", Optional.of("x"));
        values.put("empty optional", Optional.empty());
        values.put("optional number", OptionalDouble.of(1));
        values.put("reference", new AtomicReference<>("x"));
        values.put("iterator", List.of(1, 2).iterator());
        values.put("stream", Stream.of("a", "b"));
        values.put("numbers", IntStream.of(1, 2));
        values.put("entry", Map.entry("k", 1));
        values.put("class", String.class);
        values.put("time zone", TimeZone.getTimeZone("Europe/Paris"));
        values.put("path", Path.of("/tmp/x"));
        values.put("address", InetAddress.getByName("127.0.0.1"));
        values.put("locale", Locale.FRANCE);
        values.put("uri", URI.create("a:b"));
        values.put("bytes", new byte[] {1, 2});
        values.put("buffer", ByteBuffer.wrap(new byte[] {1, 2}));
        values.put("characters", "ab".toCharArray());
        values.put("decimal", new BigDecimal("1.50"));
        values.put("no number", Double.NaN);
        values.put("builder", new StringBuilder("x"));
        return values;
    }
}
