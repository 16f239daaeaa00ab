package lambent.runtime;

import java.math.BigDecimal;
import java.time.DateTimeException;
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
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Classes of `java.time` as AWS writes them: instants are seconds with nine decimals, dates and
 * times of day are arrays of their parts. They are read in that form and as text.
 */
final class Times {
    private static final int NANO_DIGITS = 9;
    private static final List<Class<?>> WITH_PARTS = Arrays.<Class<?>>asList(
            LocalDate.class, LocalTime.class, LocalDateTime.class, OffsetTime.class, YearMonth.class, MonthDay.class);
    private static final List<Class<?>> OTHERS = Arrays.<Class<?>>asList(
            Instant.class, OffsetDateTime.class, ZonedDateTime.class, Duration.class, Period.class, Year.class,
            ZoneId.class, ZoneOffset.class);

    private Times() {}

    static boolean isTime(Class<?> type) {
        return WITH_PARTS.contains(type) || OTHERS.contains(type);
    }

    static boolean takesList(Class<?> type) {
        return WITH_PARTS.contains(type);
    }

    /** A number, a list of parts or a text; null for an object of another class. */
    static Object write(Object time) {
        if (time instanceof Instant) {
            return seconds(((Instant) time).getEpochSecond(), ((Instant) time).getNano());
        }
        if (time instanceof OffsetDateTime) {
            return write(((OffsetDateTime) time).toInstant());
        }
        if (time instanceof ZonedDateTime) {
            return write(((ZonedDateTime) time).toInstant());
        }
        if (time instanceof Duration) {
            return seconds(((Duration) time).getSeconds(), ((Duration) time).getNano());
        }
        if (time instanceof LocalDate) {
            return parts((LocalDate) time);
        }
        if (time instanceof LocalTime) {
            return parts((LocalTime) time);
        }
        if (time instanceof LocalDateTime) {
            List<Object> parts = parts(((LocalDateTime) time).toLocalDate());
            parts.addAll(parts(((LocalDateTime) time).toLocalTime()));
            return parts;
        }
        if (time instanceof OffsetTime) {
            List<Object> parts = parts(((OffsetTime) time).toLocalTime());
            parts.add(((OffsetTime) time).getOffset().getId());
            return parts;
        }
        if (time instanceof Year) {
            return ((Year) time).getValue();
        }
        if (time instanceof YearMonth) {
            return Arrays.<Object>asList(((YearMonth) time).getYear(), ((YearMonth) time).getMonthValue());
        }
        return time instanceof MonthDay || time instanceof Period || time instanceof ZoneId ? time.toString() : null;
    }

    private static Object seconds(long seconds, int nanos) {
        return BigDecimal.valueOf(seconds).add(BigDecimal.valueOf(nanos, NANO_DIGITS)).setScale(NANO_DIGITS);
    }

    private static List<Object> parts(LocalDate date) {
        return new ArrayList<>(Arrays.<Object>asList(date.getYear(), date.getMonthValue(), date.getDayOfMonth()));
    }

    /** Seconds and nanoseconds only if they are not zero. */
    private static List<Object> parts(LocalTime time) {
        List<Object> parts = new ArrayList<>(Arrays.<Object>asList(time.getHour(), time.getMinute()));
        if (time.getSecond() > 0 || time.getNano() > 0) {
            parts.add(time.getSecond());
        }
        if (time.getNano() > 0) {
            parts.add(time.getNano());
        }
        return parts;
    }

    static Object read(Object value, Class<?> type) {
        try {
            if (value instanceof List) {
                return ofParts((List<?>) value, type);
            }
            if (value instanceof Number) {
                return ofNumber((Number) value, type);
            }
            if (!(value instanceof String)) {
                throw Scalars.misfit(value, type);
            }
            String text = ((String) value).trim();
            return text.isEmpty() ? null : ofText(text, type);
        } catch (DateTimeException | ArithmeticException | ClassCastException error) {
            throw new IllegalArgumentException("cannot make a " + type.getName() + ": " + error.getMessage(), error);
        }
    }

    private static Object ofParts(List<?> parts, Class<?> type) {
        if (parts.isEmpty()) {
            return null;
        }
        if (type == YearMonth.class && parts.size() == 2) {
            return YearMonth.of(part(parts, 0), part(parts, 1));
        }
        if (type == MonthDay.class && parts.size() == 2) {
            return MonthDay.of(part(parts, 0), part(parts, 1));
        }
        if (type == LocalDate.class && parts.size() == 3) {
            return date(parts);
        }
        if (type == LocalTime.class && parts.size() >= 2 && parts.size() <= 4) {
            return time(parts);
        }
        if (type == LocalDateTime.class && parts.size() >= 5 && parts.size() <= 7) {
            return LocalDateTime.of(date(parts), time(parts.subList(3, parts.size())));
        }
        int last = parts.size() - 1;
        if (type == OffsetTime.class && last >= 2 && last <= 4 && parts.get(last) instanceof String) {
            return OffsetTime.of(time(parts.subList(0, last)), ZoneOffset.of((String) parts.get(last)));
        }
        if (parts.size() == 1) {
            return read(parts.get(0), type);
        }
        throw Scalars.misfit(parts, type);
    }

    private static LocalDate date(List<?> parts) {
        return LocalDate.of(part(parts, 0), part(parts, 1), part(parts, 2));
    }

    private static LocalTime time(List<?> parts) {
        return LocalTime.of(part(parts, 0), part(parts, 1), part(parts, 2), part(parts, 3));
    }

    private static int part(List<?> parts, int at) {
        return at < parts.size() ? (Integer) parts.get(at) : 0;
    }

    private static Object ofNumber(Number number, Class<?> type) {
        if (type == Year.class && !(number instanceof Decimal)) {
            return Year.of(Math.toIntExact(number.longValue()));
        }
        if (type == LocalDate.class && !(number instanceof Decimal)) {
            return LocalDate.ofEpochDay(number.longValue());
        }
        BigDecimal seconds = Scalars.decimal(number.toString());
        long whole = seconds.longValue();
        long nanos = seconds.subtract(BigDecimal.valueOf(whole)).movePointRight(NANO_DIGITS).longValue();
        if (type == Duration.class) {
            return Duration.ofSeconds(whole, nanos);
        }
        return ofInstant(Instant.ofEpochSecond(whole, nanos), number, type);
    }

    private static Object ofInstant(Instant instant, Object value, Class<?> type) {
        if (type == OffsetDateTime.class) {
            return instant.atOffset(ZoneOffset.UTC);
        }
        if (type == ZonedDateTime.class) {
            return instant.atZone(ZoneId.of("UTC"));
        }
        if (type != Instant.class) {
            throw Scalars.misfit(value, type);
        }
        return instant;
    }

    private static Object ofText(String text, Class<?> type) {
        boolean isPoint = type == Instant.class || type == OffsetDateTime.class || type == ZonedDateTime.class;
        if (isPoint) {
            return text.matches("-?\\d+(\\.\\d+)?")
                    ? ofNumber(new Decimal(text), type)
                    : ofInstant(point(text, type), text, type);
        }
        if (type == LocalDate.class) {
            boolean isUtc = text.endsWith("Z") && text.contains("T");
            String local = isUtc ? text.substring(0, text.length() - 1) : text;
            return text.contains("T") ? LocalDateTime.parse(local).toLocalDate() : LocalDate.parse(text);
        }
        if (type == LocalDateTime.class) {
            return LocalDateTime.parse(text.replaceFirst("Z$", ""));
        }
        if (type == LocalTime.class) {
            return LocalTime.parse(text.replaceFirst(".*T", ""));
        }
        if (type == OffsetTime.class) {
            return OffsetTime.parse(text);
        }
        if (type == Duration.class) {
            return Duration.parse(text);
        }
        return smallOfText(text, type);
    }

    private static Instant point(String text, Class<?> type) {
        return type == ZonedDateTime.class
                ? ZonedDateTime.parse(text).toInstant()
                : OffsetDateTime.parse(text).toInstant();
    }

    private static Object smallOfText(String text, Class<?> type) {
        if (type == Period.class) {
            return Period.parse(text);
        }
        if (type == Year.class) {
            return Year.parse(text);
        }
        if (type == YearMonth.class) {
            return YearMonth.parse(text);
        }
        if (type == MonthDay.class) {
            return MonthDay.parse(text);
        }
        return type == ZoneOffset.class ? ZoneOffset.of(text) : ZoneId.of(text);
    }
}
