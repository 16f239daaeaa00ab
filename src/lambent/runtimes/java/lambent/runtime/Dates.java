package lambent.runtime;

import java.text.ParseException;
import java.text.SimpleDateFormat;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Calendar;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.Locale;
import java.util.TimeZone;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Dates of `java.util`: milliseconds, ISO 8601 with or without a time and a zone, or RFC 1123. */
final class Dates {
    private static final Pattern ISO = Pattern.compile("(\\d{4}-\\d\\d-\\d\\d)"
            + "(?:T(\\d\\d:\\d\\d(?::\\d\\d(?:\\.\\d{1,9})?)?)(Z|[+-]\\d\\d(?::?\\d\\d)?)?)?");
    private static final String RFC_1123 = "EEE, dd MMM yyyy HH:mm:ss zzz";
    private static final String KEY = "yyyy-MM-dd'T'HH:mm:ss.SSS'+00:00'";

    private Dates() {}

    static Date read(Object value) {
        if (value instanceof Integer || value instanceof Long) {
            return new Date(((Number) value).longValue());
        }
        if (!(value instanceof String)) {
            throw Scalars.misfit(value, Date.class);
        }
        String text = ((String) value).trim();
        if (text.matches("-?\\d+")) {
            return new Date(Long.parseLong(text));
        }
        Matcher iso = ISO.matcher(text);
        if (iso.matches()) {
            if (iso.group(2) == null) {
                return Date.from(LocalDate.parse(iso.group(1)).atStartOfDay().toInstant(ZoneOffset.UTC));
            }
            ZoneOffset zone = iso.group(3) == null ? ZoneOffset.UTC : ZoneOffset.of(iso.group(3));
            return Date.from(LocalDateTime.parse(iso.group(1) + "T" + iso.group(2)).toInstant(zone));
        }
        try {
            return format(RFC_1123).parse(text);
        } catch (ParseException error) {
            throw new IllegalArgumentException("\"" + text + "\" is no date");
        }
    }

    static Calendar calendar(Date date) {
        Calendar calendar = new GregorianCalendar(TimeZone.getTimeZone("UTC"));
        calendar.setTime(date);
        return calendar;
    }

    /** The date as a name in a JSON object. */
    static String key(Date date) {
        return format(KEY).format(date);
    }

    /** A text that is not a number returns nothing. */
    static double seconds(String text) {
        try {
            return Double.parseDouble(text);
        } catch (NumberFormatException error) {
            return 0;
        }
    }

    private static SimpleDateFormat format(String pattern) {
        SimpleDateFormat format = new SimpleDateFormat(pattern, Locale.US);
        format.setTimeZone(TimeZone.getTimeZone("UTC"));
        return format;
    }
}
