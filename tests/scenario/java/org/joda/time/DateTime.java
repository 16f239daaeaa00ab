package org.joda.time;

import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;

/** What of the Joda library's class the runtime uses. */
public final class DateTime {
    private final ZonedDateTime time;

    private DateTime(ZonedDateTime time) {
        this.time = time;
    }

    public static DateTime parse(String text) {
        return new DateTime(ZonedDateTime.parse(text));
    }

    public boolean isAfterNow() {
        return time.isAfter(ZonedDateTime.now());
    }

    @Override
    public String toString() {
        return DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSXXX").format(time);
    }
}
