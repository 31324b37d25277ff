"""The functions that a statement may call: those that compute from their arguments and from nothing else.

A function that is not named here is refused, so that a newer ClickHouse brings nothing unforeseen. Left out on purpose:
whatever reads files, tables, dictionaries, settings or the server (`file`, `joinGet`, `dictGet`, `getSetting`,
`hostName`), waits (`sleep`) or loads models, and `throwIf` and its like, which only tell by failing.
"""

_AGGREGATES = """
    any anyHeavy anyLast argMax argMin avg avgWeighted corr count covarPop covarSamp deltaSum deltaSumTimestamp entropy
    exponentialMovingAverage first_value groupArray groupArrayInsertAt groupArrayLast groupArrayMovingAvg
    groupArrayMovingSum groupArraySample groupArraySorted groupBitAnd groupBitOr groupBitXor groupBitmap groupBitmapAnd
    groupBitmapOr groupBitmapXor groupConcat groupUniqArray histogram intervalLengthSum kurtPop kurtSamp
    largestTriangleThreeBuckets last_value mannWhitneyUTest max maxIntersections maxIntersectionsPosition median
    medianExact min quantile quantileBFloat16 quantileDD quantileDeterministic quantileExact quantileExactExclusive
    quantileExactHigh quantileExactInclusive quantileExactLow quantileExactWeighted quantileGK
    quantileInterpolatedWeighted quantileTDigest quantileTDigestWeighted quantileTiming quantileTimingWeighted quantiles
    quantilesBFloat16 quantilesDD quantilesDeterministic quantilesExact quantilesExactExclusive quantilesExactHigh
    quantilesExactInclusive quantilesExactLow quantilesExactWeighted quantilesGK quantilesInterpolatedWeighted
    quantilesTDigest quantilesTDigestWeighted quantilesTiming quantilesTimingWeighted rankCorr retention sequenceCount
    sequenceMatch sequenceMatchEvents sequenceNextNode simpleLinearRegression skewPop skewSamp sparkbar stddevPop
    stddevSamp studentTTest sum sumCount sumKahan sumWithOverflow topK topKWeighted uniq uniqCombined uniqCombined64
    uniqExact uniqHLL12 uniqUpTo varPop varSamp welchTTest windowFunnel
"""

_WINDOW = "cume_dist dense_rank lag lagInFrame lead leadInFrame nth_value ntile percent_rank rank row_number"

# They take a function as their first argument. ClickHouse also takes a bare name there and calls the function of that
# name, so these are held to `x -> …`.
_HIGHER_ORDER = """
    arrayAll arrayAvg arrayCompact arrayCount arrayCumSum arrayCumSumNonNegative arrayDifference arrayExists arrayFill
    arrayFilter arrayFirst arrayFirstIndex arrayFirstOrNull arrayFold arrayLast arrayLastIndex arrayLastOrNull arrayMap
    arrayMax arrayMin arrayPartialReverseSort arrayPartialSort arrayProduct arrayReverseFill arrayReverseSort
    arrayReverseSplit arraySort arraySplit arraySum mapAll mapApply mapExists mapFilter mapPartialReverseSort
    mapPartialSort mapReverseSort mapSort
"""

_SCALARS = """
    CAST JSONAllPaths JSONArrayLength JSONExtract JSONExtractArrayRaw JSONExtractBool JSONExtractFloat JSONExtractInt
    JSONExtractKeys JSONExtractKeysAndValues JSONExtractKeysAndValuesRaw JSONExtractRaw JSONExtractString
    JSONExtractUInt JSONHas JSONKey JSONLength JSONType JSON_EXISTS JSON_QUERY JSON_VALUE L1Distance L1Norm L2Distance
    L2Norm MD5 SHA1 SHA256 URLHash URLHierarchy URLPathHierarchy UTCTimestamp abs acos acosh addDays addHours
    addInterval addMicroseconds addMilliseconds addMinutes addMonths addNanoseconds addQuarters addSeconds addWeeks
    addYears age and appendTrailingCharIfAbsent array arrayAUC arrayConcat arrayDistinct arrayDotProduct arrayElement
    arrayElementOrNull arrayEnumerate arrayEnumerateDense arrayEnumerateUniq arrayExcept arrayFlatten arrayIntersect
    arrayJaccardIndex arrayJoin arrayNormalizedGini arrayPopBack arrayPopFront arrayPushBack arrayPushFront arrayResize
    arrayReverse arrayRotateLeft arrayRotateRight arrayShiftLeft arrayShiftRight arrayShingles arraySlice
    arraySymmetricDifference arrayUnion arrayUniq arrayWithConstant arrayZip arrayZipUnaligned asin asinh assumeNotNull
    atan atan2 atanh bar base58Decode base58Encode base64Decode base64Encode bin bitAnd bitCount bitNot bitOr
    bitShiftLeft bitShiftRight bitTest bitTestAll bitTestAny bitXor bitmapAnd bitmapAndCardinality bitmapAndnot
    bitmapAndnotCardinality bitmapBuild bitmapCardinality bitmapContains bitmapHasAll bitmapHasAny bitmapMax bitmapMin
    bitmapOr bitmapOrCardinality bitmapSubsetInRange bitmapSubsetLimit bitmapToArray bitmapTransform bitmapXor
    bitmapXorCardinality caseWithExpression cbrt ceil ceiling changeDay changeHour changeMinute changeMonth changeSecond
    changeYear char cityHash64 coalesce concat concatWithSeparator cos cosh cosineDistance countMatches
    countMatchesCaseInsensitive countSubstrings countSubstringsCaseInsensitive cutFragment cutQueryString
    cutQueryStringAndFragment cutToFirstSignificantSubdomain cutURLParameter cutWWW damerauLevenshteinDistance dateDiff
    dateName dateTrunc decodeURLComponent decodeURLFormComponent decodeXMLComponent degrees divide domain
    domainWithoutWWW editDistance empty emptyArrayString encodeURLComponent encodeURLFormComponent endsWith endsWithUTF8
    equals erf erfc exp exp10 exp2 extract extractAll extractAllGroupsHorizontal extractAllGroupsVertical extractGroups
    extractURLParameter extractURLParameterNames extractURLParameters farmHash64 finalizeAggregation
    firstSignificantSubdomain flatten floor format formatDateTime formatDateTimeInJodaSyntax formatReadableDecimalSize
    formatReadableQuantity formatReadableSize formatReadableTimeDelta fragment fromDaysSinceYearZero fromUnixTimestamp
    fromUnixTimestamp64Micro fromUnixTimestamp64Milli fromUnixTimestamp64Nano fromUnixTimestampInJodaSyntax gcd
    geoDistance geohashDecode geohashEncode greatCircleAngle greatCircleDistance greater greaterOrEquals greatest
    halfMD5 has hasAll hasAny hasSubsequence hasSubsequenceCaseInsensitive hasSubstr hasToken hasTokenCaseInsensitive
    hex hypot if ifNull ilike indexOf indexOfAssumeSorted initcap initcapUTF8 intDiv intDivOrNull intDivOrZero intExp10
    intExp2 isFinite isInfinite isNaN isNotDistinctFrom isNotNull isNull isNullable isValidJSON isValidUTF8 isZeroOrNull
    jaroSimilarity jaroWinklerSimilarity javaHash kostikConsistentHash lcm least left leftPad leftPadUTF8 leftUTF8
    length lengthUTF8 less lessOrEquals levenshteinDistance lgamma like ln locate log log10 log1p log2 lower lowerUTF8
    makeDate makeDate32 makeDateTime makeDateTime64 map mapAdd mapConcat mapContains mapContainsKey mapContainsKeyLike
    mapContainsValue mapExtractKeyLike mapFromArrays mapKeys mapPopulateSeries mapSubtract mapUpdate mapValues match
    minus mod modulo moduloOrZero monthName multiIf multiSearchAny multiSearchAnyCaseInsensitive multiSearchFirstIndex
    multiSearchFirstPosition multiply murmurHash3_64 negate netloc ngramDistance ngramDistanceCaseInsensitive
    ngramSearch ngramSearchCaseInsensitive ngrams not notEmpty notEquals notILike notLike now now64 nullIf or
    parseDateTime parseDateTime64 parseDateTime64BestEffort parseDateTime64BestEffortOrNull parseDateTimeBestEffort
    parseDateTimeBestEffortOrNull parseDateTimeBestEffortOrZero parseDateTimeOrNull parseReadableSizeOrNull path
    pathFull pi plus port position positionCaseInsensitive positionCaseInsensitiveUTF8 positionUTF8 positiveModulo pow
    power protocol queryString queryStringAndFragment radians range regexpExtract regexpQuoteMeta repeat replace
    replaceAll replaceOne replaceRegexpAll replaceRegexpOne reverse reverseUTF8 right rightPad rightPadUTF8 rightUTF8
    round roundAge roundBankers roundDown roundDuration roundToExp2 sign simpleJSONExtractBool simpleJSONExtractFloat
    simpleJSONExtractInt simpleJSONExtractRaw simpleJSONExtractString simpleJSONExtractUInt simpleJSONHas sin sinh
    sipHash64 soundex space splitByChar splitByNonAlpha splitByRegexp splitByString splitByWhitespace sqrt startsWith
    startsWithUTF8 stringJaccardIndex subBitmap substr substring substringIndex substringIndexUTF8 substringUTF8
    subtractDays subtractHours subtractInterval subtractMicroseconds subtractMilliseconds subtractMinutes subtractMonths
    subtractQuarters subtractSeconds subtractWeeks subtractYears tan tanh tgamma timeDiff timeSlot timeSlots
    timeZoneOffset timezoneOffset toBool toDate toDate32 toDate32OrDefault toDate32OrNull toDate32OrZero toDateOrDefault
    toDateOrNull toDateOrZero toDateTime toDateTime32 toDateTime64 toDateTime64OrDefault toDateTime64OrNull
    toDateTime64OrZero toDateTimeOrDefault toDateTimeOrNull toDateTimeOrZero toDayOfMonth toDayOfWeek toDayOfYear
    toDaysSinceYearZero toDecimal128 toDecimal128OrNull toDecimal128OrZero toDecimal32 toDecimal32OrNull
    toDecimal32OrZero toDecimal64 toDecimal64OrNull toDecimal64OrZero toDecimalString toFixedString toFloat32
    toFloat32OrDefault toFloat32OrNull toFloat32OrZero toFloat64 toFloat64OrDefault toFloat64OrNull toFloat64OrZero
    toHour toIPv4 toIPv4OrNull toIPv6 toIPv6OrNull toISOWeek toISOYear toInt128 toInt128OrNull toInt128OrZero toInt16
    toInt16OrDefault toInt16OrNull toInt16OrZero toInt32 toInt32OrDefault toInt32OrNull toInt32OrZero toInt64
    toInt64OrDefault toInt64OrNull toInt64OrZero toInt8 toInt8OrDefault toInt8OrNull toInt8OrZero toIntervalDay
    toIntervalHour toIntervalMicrosecond toIntervalMillisecond toIntervalMinute toIntervalMonth toIntervalQuarter
    toIntervalSecond toIntervalWeek toIntervalYear toJSONString toLastDayOfMonth toLastDayOfWeek toLowCardinality
    toMillisecond toMinute toModifiedJulianDay toMonday toMonth toNullable toQuarter toRelativeDayNum toRelativeHourNum
    toRelativeMinuteNum toRelativeMonthNum toRelativeQuarterNum toRelativeSecondNum toRelativeWeekNum toRelativeYearNum
    toSecond toStartOfDay toStartOfFifteenMinutes toStartOfFiveMinutes toStartOfHour toStartOfISOYear toStartOfInterval
    toStartOfMicrosecond toStartOfMillisecond toStartOfMinute toStartOfMonth toStartOfQuarter toStartOfSecond
    toStartOfTenMinutes toStartOfWeek toStartOfYear toString toStringCutToZero toTime toTimeZone toTimezone toTypeName
    toUInt128 toUInt128OrNull toUInt128OrZero toUInt16 toUInt16OrDefault toUInt16OrNull toUInt16OrZero toUInt32
    toUInt32OrDefault toUInt32OrNull toUInt32OrZero toUInt64 toUInt64OrDefault toUInt64OrNull toUInt64OrZero toUInt8
    toUInt8OrDefault toUInt8OrNull toUInt8OrZero toUUID toUUIDOrNull toUnixTimestamp toUnixTimestamp64Micro
    toUnixTimestamp64Milli toUnixTimestamp64Nano toUnixTimestamp64Second toWeek toYYYYMM toYYYYMMDD toYYYYMMDDhhmmss
    toYear toYearWeek today tokens topLevelDomain transform translate translateUTF8 trimBoth trimLeft trimRight trunc
    truncate tuple tupleConcat tupleDivide tupleElement tupleHammingDistance tupleMinus tupleMultiply tupleNames
    tuplePlus tupleToNameValuePairs unbin unhex upper upperUTF8 widthBucket width_bucket wordShingleSimHash xor xxHash64
    yesterday
"""

_OTHER_NAMES = {"date_diff": "dateDiff", "date_trunc": "dateTrunc", "trim": "trimBoth"}

_COMBINATORS = (
    "If", "Array", "Map", "SimpleState", "State", "Merge", "ForEach", "Distinct", "OrDefault", "OrNull", "ArgMin",
    "ArgMax", "Resample",
)  # fmt: skip
_MAX_COMBINATORS = 4


def _by_lower(*lists: str) -> dict[str, str]:
    # Some names are written in any case (COUNT, Sum), which ones hangs on the version: all are taken in any case.
    return {name.lower(): name for names in lists for name in names.split()}


_PLAIN = _by_lower(_AGGREGATES, _WINDOW, _HIGHER_ORDER, _SCALARS) | _OTHER_NAMES
_COMBINABLE = _by_lower(_AGGREGATES)
_TAKES_FUNCTION = set(_HIGHER_ORDER.split())
_WITHOUT_FUNCTION_TOO = {name for name in _TAKES_FUNCTION if name not in {"arrayFold", "arrayMap", "mapApply"}}


def known_function(name: str) -> str | None:
    """Return a function's name as ClickHouse writes it, or None where a statement may not call it.

    >>> known_function("COUNT"), known_function("quantilesTDigestIfMerge"), known_function("file")
    ('count', 'quantilesTDigestIfMerge', None)
    """
    plain = _PLAIN.get(name.lower())
    if plain is not None:
        return plain
    rest, suffixes = name, ""
    for _ in range(_MAX_COMBINATORS):
        suffix = next((each for each in _COMBINATORS if rest.endswith(each)), None)
        if suffix is None:
            return None
        rest, suffixes = rest.removesuffix(suffix), suffix + suffixes
        if rest.lower() in _COMBINABLE:
            return _COMBINABLE[rest.lower()] + suffixes
    return None


def takes_function(name: str, arguments: int) -> bool:
    """Say whether the first of so many arguments of a known function is a function itself."""
    return name in _TAKES_FUNCTION and (arguments > 1 or name not in _WITHOUT_FUNCTION_TOO)
