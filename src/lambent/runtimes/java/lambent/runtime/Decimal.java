package lambent.runtime;

/** A number with a fraction or an exponent, with the text it was read from. */
final class Decimal extends Number {
    private static final long serialVersionUID = 1;

    private final String text;

    Decimal(String text) {
        this.text = text;
    }

    @Override
    public int intValue() {
        return (int) doubleValue();
    }

    @Override
    public long longValue() {
        return (long) doubleValue();
    }

    @Override
    public float floatValue() {
        return Float.parseFloat(text);
    }

    @Override
    public double doubleValue() {
        return Double.parseDouble(text);
    }

    @Override
    public String toString() {
        return text;
    }
}
