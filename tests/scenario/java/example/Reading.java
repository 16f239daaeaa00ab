package example;

import java.lang.reflect.Field;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.Calendar;
import java.util.Date;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Properties;
import java.util.Queue;
import java.util.Set;
import java.util.SortedMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** Says what became of its event, whose one property is named for the type it has. */
public class Reading {
    public enum Color { RED, GREEN { @Override public String toString() { return "other"; } } }

    public static class Bean {
        private String name = "-";
        private String url = "-";
        private int count;
        private final List<String> onlyRead = List.of();

        private void setName(String name) {
            this.name = name;
        }

        public void setURL(String url) {
            this.url = url;
        }

        public Bean setCount(int count) {
            this.count = count;
            return this;
        }

        public List<String> getOnlyRead() {
            return onlyRead;
        }

        public void setIsBase64Encoded(boolean value) {
            name = "encoded " + value;
        }

        @Override
        public String toString() {
            return name + " " + url + " " + count + " " + onlyRead;
        }
    }

    public static class Sealed {
        public int a;

        private Sealed() {}

        @Override
        public String toString() {
            return "a=" + a;
        }
    }

    public static class WithoutConstructor {
        public int a;

        public WithoutConstructor(String text) {}
    }

    public abstract static class Unfinished {
        public int a;
    }

    public static class Chosen {
        private String log = "-";

        public void setOne(Object one) {
            log = "object";
        }

        public void setOne(String one) {
            log = "text";
        }

        @Override
        public String toString() {
            return log;
        }
    }

    public static class Ambiguous {
        public void setOne(List<String> one) {}

        public void setOne(Object one) {}
    }

    public static class Box<T> {
        public T value;
        public List<T> more;

        @Override
        public String toString() {
            return value + " " + more;
        }
    }

    public static class Values {
        public int primitive = -1;
        public Integer wrapped;
        public long longer;
        public byte small;
        public double real;
        public boolean truth;
        public Boolean maybe;
        public char character;
        public String text;
        public BigDecimal decimal;
        public BigInteger big;
        public Number number;
        public Color color;
        public Date date;
        public Calendar calendar;
        public byte[] bytes;
        public ByteBuffer buffer;
        public Object any;
        public Map<String, Object> map;
        public Map<Color, Integer> colors;
        public EnumMap<Color, Integer> enumMap;
        public Map<Integer, String> numbered;
        public SortedMap<String, Integer> sorted;
        public ConcurrentMap<String, Integer> concurrent;
        public Properties properties;
        public List<Integer> numbers;
        public String[] texts;
        public List<Double>[] lists;
        public Set<String> set;
        public Queue<String> queue;
        public UUID uuid;
        public AtomicInteger counter;
        public AtomicReference<String> reference;
        public Optional<String> optional;
        public Optional<Integer> optionalNumber;
        public OptionalInt optionalInt;
        public Instant instant;
        public LocalDate day;
        public LocalTime time;
        public LocalDateTime local;
        public OffsetDateTime offset;
        public Duration duration;
        public Year year;
        public YearMonth month;
        public MonthDay birthday;
        public ZoneId zone;
        public Bean bean;
        public Sealed sealed;
        public WithoutConstructor closed;
        public Unfinished unfinished;
        public Box<Integer> box;
        public Chosen chosen;
        public Ambiguous ambiguous;
        public Void nothing;
    }

    public String read(Values values) throws Exception {
        StringBuilder seen = new StringBuilder();
        Values fresh = new Values();
        for (Field field : Values.class.getFields()) {
            Object value = field.get(values);
            if (value != null && !value.equals(field.get(fresh))) {
                seen.append(value.getClass().getSimpleName()).append(' ').append(describe(value));
            }
        }
        return seen.length() == 0 ? null : seen.toString();
    }

    private static String describe(Object value) {
        if (value instanceof Calendar) {
            return String.valueOf(((Calendar) value).getTimeInMillis());
        }
        if (value instanceof Date) {
            return String.valueOf(((Date) value).getTime());
        }
        if (value instanceof ByteBuffer) {
            return StandardCharsets.UTF_8.decode((ByteBuffer) value).toString();
        }
        String text = Arrays.deepToString(new Object[] {value});
        return text.substring(1, text.length() - 1);
    }
}
