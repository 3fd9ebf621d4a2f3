/** The words of PromQL (Prometheus 3). Keywords and aggregations are written in any case; functions are not. */

export const aggregations: ReadonlySet<string> = new Set(
  'sum avg count min max group stddev stdvar topk bottomk count_values quantile limitk limit_ratio'.split(
    ' ',
  ),
);

export const setOperators: ReadonlySet<string> = new Set(['and', 'or', 'unless']);

/** Words that cannot be a metric's bare name here, although Prometheus takes some of them in some places. */
export const keywords: ReadonlySet<string> = new Set([
  ...aggregations,
  ...setOperators,
  ...(
    'atan2 offset by without on ignoring group_left group_right fill fill_left fill_right bool smoothed anchored ' +
    'start end step range inf nan with default if ifnot limit keep_metric_names'
  ).split(' '),
]);

/**
 * Functions that compute from their arguments alone. A list of what is known, not of what is forbidden: `info()`
 * reads series that stand in no selector, and the next release may add another that does.
 */
export const pureFunctions: ReadonlySet<string> = new Set(
  (
    'abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp clamp_max clamp_min ' +
    'cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg delta deriv ' +
    'double_exponential_smoothing exp first_over_time floor histogram_avg histogram_count histogram_fraction ' +
    'histogram_quantile histogram_quantiles histogram_stddev histogram_stdvar histogram_sum holt_winters hour idelta ' +
    'increase irate label_join label_replace last_over_time ln log10 log2 mad_over_time max_over_time min_over_time ' +
    'minute month pi predict_linear present_over_time quantile_over_time rad rate resets round scalar sgn sin sinh ' +
    'sort sort_by_label sort_by_label_desc sort_desc sqrt stddev_over_time stdvar_over_time sum_over_time tan tanh ' +
    'time timestamp ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time vector year'
  ).split(' '),
);

/** Functions that give a number where there is no sample. */
export const defaultingFunctions: ReadonlySet<string> = new Set(['vector', 'absent', 'absent_over_time']);
