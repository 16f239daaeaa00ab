package lambent.runtime;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON into maps, lists, strings, numbers, booleans and null. As AWS does, it takes single
 * quotes, names without quotes, numbers with leading zeros, NaN and infinities, and any
 * character after a backslash.
 */
final class JsonReader {
    /** The length of a number; this limit and that of nesting are Jackson's. */
    static final int DIGITS_MAX = 1000;
    private static final int DEPTH_MAX = 1000;

    private final String text;
    private int at;
    private int depth;

    JsonReader(byte[] json) {
        text = new String(json, StandardCharsets.UTF_8);
    }

    /** The whole document; an empty text is null. */
    Object read() {
        skipSpace();
        if (at == text.length()) {
            return null;
        }
        Object value = value();
        if (at < text.length()) {
            throw unexpected();
        }
        return value;
    }

    /** A value and the space around it. */
    private Object value() {
        skipSpace();
        Object value;
        switch (peek()) {
            case '{':
                value = object();
                break;
            case '[':
                value = array();
                break;
            case '"':
            case '\'':
                value = string();
                break;
            case 't':
                value = word("true", Boolean.TRUE);
                break;
            case 'f':
                value = word("false", Boolean.FALSE);
                break;
            case 'n':
                value = word("null", null);
                break;
            case 'N':
                value = word("NaN", Double.NaN);
                break;
            case 'I':
                value = word("Infinity", Double.POSITIVE_INFINITY);
                break;
            default:
                value = number();
        }
        skipSpace();
        return value;
    }

    private Map<String, Object> object() {
        Map<String, Object> object = new LinkedHashMap<>();
        enter();
        skipSpace();
        while (peek() != '}') {
            skipSpace();
            String name = peek() == '"' || peek() == '\'' ? string() : plainName();
            skipSpace();
            expect(':');
            object.put(name, value());
            if (peek() == '}') {
                break;
            }
            expect(',');
            skipSpace();
            if (peek() == '}') {
                throw unexpected();
            }
        }
        leave();
        return object;
    }

    private List<Object> array() {
        List<Object> array = new ArrayList<>();
        enter();
        skipSpace();
        while (peek() != ']') {
            array.add(value());
            if (peek() == ']') {
                break;
            }
            expect(',');
            skipSpace();
            if (peek() == ']') {
                throw unexpected();
            }
        }
        leave();
        return array;
    }

    private String string() {
        char quote = peek();
        int start = ++at;
        while (peek() != quote && peek() != '\\') {
            at++;
        }
        if (peek() == quote) {
            return text.substring(start, at++);
        }
        StringBuilder string = new StringBuilder(text.substring(start, at));
        while (peek() != quote) {
            if (peek() == '\\') {
                at++;
                string.append(escaped());
            } else {
                string.append(text.charAt(at++));
            }
        }
        at++;
        return string.toString();
    }

    /** A name without quotes. */
    private String plainName() {
        int start = at;
        while (Character.isJavaIdentifierPart(peek())) {
            at++;
        }
        if (at == start) {
            throw unexpected();
        }
        return text.substring(start, at);
    }

    private char escaped() {
        char name = peek();
        at++;
        switch (name) {
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                int code = 0;
                for (int end = at + 4; at < end; at++) {
                    int digit = Character.digit(peek(), 16);
                    if (digit < 0) {
                        throw unexpected();
                    }
                    code = 16 * code + digit;
                }
                return (char) code;
            default:
                return name;
        }
    }

    private Number number() {
        int start = at;
        if (peek() == '-') {
            at++;
            if (peek() == 'I') {
                word("Infinity", null);
                return Double.NEGATIVE_INFINITY;
            }
        }
        digits();
        boolean isWhole = true;
        if (at < text.length() && text.charAt(at) == '.') {
            isWhole = false;
            at++;
            digits();
        }
        if (at < text.length() && (text.charAt(at) | ' ') == 'e') {
            isWhole = false;
            at++;
            if (peek() == '+' || peek() == '-') {
                at++;
            }
            digits();
        }
        String digits = text.substring(start, at);
        if (digits.length() > DIGITS_MAX) {
            throw new IllegalArgumentException("a number has more than " + DIGITS_MAX + " digits");
        }
        return isWhole ? whole(digits) : new Decimal(digits);
    }

    /** The parsed value, for code that takes any object: with Java's own numbers. */
    @SuppressWarnings("unchecked")
    static Object plain(Object value) {
        if (value instanceof Map) {
            ((Map<String, Object>) value).replaceAll((name, one) -> plain(one));
        } else if (value instanceof List) {
            ((List<Object>) value).replaceAll(JsonReader::plain);
        }
        return value instanceof Decimal ? (Double) ((Decimal) value).doubleValue() : value;
    }

    /** The smallest type that can hold it. */
    private static Number whole(String digits) {
        if (digits.length() > 18) {
            BigInteger big = new BigInteger(digits);
            return big.bitLength() < Long.SIZE ? (Number) big.longValue() : big;
        }
        long value = Long.parseLong(digits);
        return value == (int) value ? (Number) (int) value : (Number) value;
    }

    private void digits() {
        int start = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        if (at == start) {
            throw unexpected();
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw unexpected();
        }
        at += word.length();
        return value;
    }

    private void enter() {
        at++;
        if (++depth > DEPTH_MAX) {
            throw new IllegalArgumentException("JSON is nested deeper than " + DEPTH_MAX + " levels");
        }
    }

    private void leave() {
        at++;
        depth--;
    }

    private void expect(char expected) {
        if (peek() != expected) {
            throw unexpected();
        }
        at++;
    }

    private char peek() {
        if (at >= text.length()) {
            throw new IllegalArgumentException("JSON ends at position " + at);
        }
        return text.charAt(at);
    }

    private void skipSpace() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private IllegalArgumentException unexpected() {
        if (at >= text.length()) {
            return new IllegalArgumentException("JSON ends at position " + at);
        }
        String found = String.valueOf(text.charAt(at));
        return new IllegalArgumentException("JSON has an unexpected '" + found + "' at position " + at);
    }
}
