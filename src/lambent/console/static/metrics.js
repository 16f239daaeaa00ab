// Metrics of CloudWatch as series of one length.
import { aws } from "./api.js";

// What may be looked at: name, length and period in seconds.
export const RANGES = { "1h": ["1 h", 3600, 60], "24h": ["24 h", 86400, 300], "14d": ["14 d", 14 * 86400, 3600] };

// `metrics` are [key, name, statistic]. Returns {times, [key]: values}: one value for each period of the last
// `length` seconds, null where there is none; sums are 0 there.
export async function loadMetrics(metrics, { length, period, dimensions = {}, namespace = "AWS/Lambda", signal }) {
  const end = Math.ceil(Date.now() / 1000 / period) * period;
  const times = Array.from({ length: Math.floor(length / period) }, (_, at) => end - length + at * period);
  const queries = metrics.map(([key, name, statistic]) => ({
    Id: key,
    MetricStat: {
      Metric: {
        Namespace: namespace, MetricName: name,
        Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
      },
      Period: period, Stat: statistic,
    },
  }));
  const places = new Map(times.map((time, at) => [time, at]));
  const found = Object.fromEntries(metrics.map(([key, , statistic]) =>
    [key, times.map(() => (statistic === "Sum" ? 0 : null))]));
  let next;
  do {
    const page = await aws("cloudwatch", "GetMetricData", {
      MetricDataQueries: queries, StartTime: end - length, EndTime: end, ...(next && { NextToken: next }),
    }, { signal });
    for (const { Id, Timestamps, Values } of page.MetricDataResults) {
      Timestamps.forEach((time, at) => {
        const place = places.get(Math.floor(time / period) * period);
        if (place !== undefined) found[Id][place] = Values[at];
      });
    }
    next = page.NextToken;
  } while (next);
  return { times, ...found };
}
