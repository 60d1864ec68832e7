"""Words the checks look for, as patterns. Data only; what follows from a hit is decided in the checks."""

from __future__ import annotations

import re


def words(*stems: str) -> re.Pattern[str]:
    """Any of the given patterns as whole words."""
    return re.compile(r"(?<![\w-])(?:" + "|".join(stems) + r")(?![\w])", re.IGNORECASE)


# ---------------------------------------------------------------- directions

_BETTER = (
    r"improv(?:e|es|ed|ing|ements?)",
    r"outperform\w*",
    r"surpass\w*",
    r"beats?",
    r"beaten",
    r"better",
    r"superior(?:ity)?",
    r"wins?",
    r"won",
    r"ahead of",
    r"dominat(?:e|es|ed)",
)
_WORSE = (
    r"worse",
    r"inferior",
    r"degrad(?:e|es|ed|ation)",
    r"hurts?",
    r"harms?",
    r"harmed",
    r"underperform\w*",
    r"falls? short",
    r"trails?",
    r"loses?",
)
BETTER, WORSE = words(*_BETTER), words(*_WORSE)
UP = words(
    r"higher",
    r"increas(?:e|es|ed|ing)",
    r"rais(?:e|es|ed)",
    r"rises?",
    r"rose",
    r"larger",
    r"greater",
    r"exceed\w*",
    r"above",
    r"more than",
    r"grows?",
    r"grew",
    r"gains?",
    r"gained",
    r"boost\w*",
)
DOWN = words(
    r"lower",
    r"lowers",
    r"lowered",
    r"decreas(?:e|es|ed|ing)",
    r"reduc(?:e|es|ed|ing|tions?)",
    r"drops?",
    r"dropped",
    r"falls?",
    r"fell",
    r"smaller",
    r"below",
    r"less than",
    r"fewer",
    r"cuts?",
    r"shrinks?",
    r"declin(?:e|es|ed)",
)
EQUAL = words(
    r"match(?:es|ed)?",
    r"equals?",
    r"on par",
    r"comparable",
    r"indistinguishable",
    r"identical",
    r"unchanged",
    r"the same as",
    r"no difference",
)
NEGATION = re.compile(r"\b(?:not|no|neither|nor|never|without|fail(?:s|ed)? to|cannot|hardly)\b|n't\b", re.IGNORECASE)
DIRECTION_IS_BETTER = re.compile(
    r"\b(?:higher|lower|larger|smaller|closer) (?:values? )?(?:is|are|being) better\b", re.IGNORECASE
)

# ---------------------------------------------------------------- outcomes

_VERBS = (
    r"achiev(?:e|es|ed|ing)",
    r"attain\w*",
    r"reach(?:es|ed)",
    r"yield(?:s|ed)",
    r"succeed\w*",
    r"successful\w*",
    r"fail(?:s|ed|ure)?",
    r"help(?:s|ed)",
    r"works",
    r"worked",
    r"speciali[sz](?:e|es|ed|ing|ation)",
    r"emerg(?:e|es|ed)",
    r"diverg(?:e|es|ed)",
    r"converg(?:e|es|ed)",
    r"collaps(?:e|es|ed)",
    r"stabili[sz](?:e|es|ed|ing)",
    r"disentangl(?:es|ed)",
    r"separat(?:es|ed) (?:the )?features?",
    r"recover(?:s|ed)",
    r"discover(?:s|ed)",
    r"preserv(?:es|ed|ing)",
    r"maintain(?:s|ed|ing)",
    r"retain(?:s|ed|ing)",
    r"prevent(?:s|ed|ing)",
    r"eliminat\w+",
    r"solv(?:es|ed)",
    r"remov(?:es|ed) (?:the|all|most|any)",
    r"avoids",
    r"avoided",
    r"mitigat(?:es|ed)",
    r"alleviat(?:es|ed)",
    r"resolv(?:es|ed)",
    r"closes? the gap",
    r"generali[sz](?:es|ed)",
    r"transfer(?:s|red) (?:to|across)",
    r"scal(?:es|ed) (?:to|well|with)",
    r"learn(?:s|ed) (?:to|the|more|cleaner|"
    r"\w+er)",
    r"captur(?:es|ed) (?:the|more|all|most|nearly|both)",
    r"reveal(?:s|ed)?",
    r"confirm(?:s|ed)",
    r"prov(?:es|ed|en)",
    r"demonstrat\w+",
    r"(?:show|shows|showed|shown) (?:that|how|the|a|an|no|clear|strong|consistent)\b(?! (?:all|"
    r"every) )",
    r"(?:find|found|observe|observed|see|saw|conclude|concluded) (?:that|no|a|an)",
    r"indicat(?:e|es|ed)",
    r"suggest(?:s|ed)?",
    r"enabl(?:es|ed)",
    r"allow(?:s|ed) (?:the model|the sae|it)",
    r"makes? the difference",
    r"(?:makes?|lets?) (?:\w+ ){1,3}(?:find|learn|recover|see|keep)",
    r"find features that",
    r"explains? (?:the|most|why)",
    r"accounts? for",
    r"ranks?",
    r"leads? to",
    r"led to",
    r"results? in",
    r"driv(?:es|en)",
    r"caus(?:es|ed)",
    r"respond(?:s|ed)",
    r"align(?:s|ed) with",
    r"correlat(?:es|ed)",
    r"spend(?:s)?",
    r"fires?",
    r"(?:is|are|was|were|stays?|remains?|becomes?|became) (?:dead|alive|stable|unstable|saturated|monosemantic|"
    r"polysemantic|interpretable|disentangled|redundant|unused|active|robust|consistent|effective|efficient|clear|"
    r"decisive|enough|sufficient|necessary|beneficial|harmful|useful|useless|unaffected|faster|slower|promising)",
)
_MANNER = (
    r"(?:is|are|was|were) the (?:best|worst|strongest|weakest|only)",
    r"best(?= on| in| at| of all| overall)",
    r"state[- ]of[- ]the[- ]art",
    r"(?:faster|slower|stronger|weaker|cleaner|sparser|denser|closer|tighter|earlier|"
    r"later)"
    r"(?! layers?\b)(?: than)?",
    r"(?:more|less|fewer) (?:\S+ ){1,6}than",
    r"substantial(?:ly)?",
    r"dramatic(?:ally)?",
    r"markedly",
    r"considerabl[ey]",
    r"remarkabl[ey]",
    r"striking(?:ly)?",
    r"negligible",
    r"no (?:measurable )?effect",
    r"consistently",
    r"reliably",
    r"robustly",
    r"without (?:any )?(?:loss|cost|degradation|overhead)",
    r"no longer",
    r"a clear (?:advantage|win|effect|trend|difference)",
    r"trade[sd]? (?:\S+ ){0,3}(?:for|against) (?:\S+ "
    r"){0,2}(?:gain|loss)",
    r"(?:most|nearly all|almost all|hardly any|none|few|all|every one|the majority|many) (?:of )?(?:the |its |our |"
    r"these )?"
    r"(?:\w+ )?(?:latents?|features?|seeds?|tiers?|neurons?|units?|metrics|concepts?)",
)
OUTCOME = words(
    *_BETTER,
    *_WORSE,
    *_VERBS,
    *_MANNER,
    r"higher",
    r"lower",
    r"larger",
    r"smaller",
    r"greater",
    r"fewer",
    r"increas(?:e|es|ed|ing)",
    r"decreas(?:e|es|ed|ing)",
    r"reduc(?:e|es|ed|ing|tions?)",
    r"rais(?:es|ed)",
    r"rises?",
    r"rose",
    r"drops?",
    r"dropped",
    r"fell",
    r"falls?",
    r"grows?",
    r"grew",
    r"gains?",
    r"gained",
    r"boost\w*",
    r"exceed\w*",
    r"match(?:es|ed)",
    r"equals",
    r"on par",
    r"comparable",
    r"indistinguishable",
    r"unchanged",
)
# In other sections a statement about our own runs counts when it is as plain as this.
STRONG = words(
    *_BETTER,
    *_WORSE,
    r"exceed\w*",
    r"state[- ]of[- ]the[- ]art",
    r"(?:we|our \w+|this \w+|experiments?|results?|runs?) (?:\w+ ){0,2}(?:show|shows|showed|find|found|"
    r"observe|"
    r"observed|demonstrate|demonstrates|demonstrated|confirm|confirms|confirmed|prove|proves|proved|reveal|"
    r"reveals|revealed|indicate|indicates) (?:that|a|an|the|no|how|clear|strong)",
    r"accounts? for (?:the|most|much|all)",
    r"speciali[sz](?:es|ed)",
    r"(?:substantially|dramatically|"
    r"consistently|markedly) \w+",
    r"(?:yields?|yielded|finds?|found|gives?|gave|learns?|learned) (?:more|better|cleaner|fewer|all|most|"
    r"nearly)",
    r"(?:reduces|reduced|increases|increased|raises|raised|lowers|lowered|boosts|boosted|achieves|achieved|"
    r"attains|attained|eliminates|eliminated|recovers|recovered) (?!this\b|to\b)",
)
SELF = words(
    r"we",
    r"our",
    r"ours",
    r"this (?:paper|work|study|method|approach)",
    r"the (?:proposed|resulting|new|"
    r"nested|tiered) \w+",
    r"this (?:choice|change|yields|gives|makes|leads)",
    r"it",
    r"(?:each|the (?:first|last|final|second)) "
    r"tiers?",
    r"(?:the )?(?:results?|experiments?|runs?|findings?)",
)
OWN = words(r"our \w+", r"ours", r"we", r"this (?:paper|work)")
# Words that end the background part of an abstract: from here on the paper speaks of itself.
ABOUT_US = words(
    r"our \w+",
    r"ours",
    r"we",
    r"us",
    r"this (?:paper|work|study|method|objective)",
    r"analys[ie]s",
    r"the (?:proposed|resulting|new) \w+",
    r"(?:experiments?|results?|evaluations?|findings?|runs?|here)",
)
HEDGE = re.compile(
    r"(?:\b(?:whether|if|may|might|could|would|should|ought|unless|until|expects?|expected|hypothes\w+|"
    r"conjecture|suppose|in order to|aims? to|designed to|meant to|intended to|tr(?:y|ies) to|"
    r"supposed to|"
    r"hopes? to|how|ask(?:s|ed)?|questions?|tests?|tested|not (?:claim|know|test|measure|show)|"
    r"cannot (?:say|tell|show|conclude)|no claim|nothing about|before|needed to)\b)[^.;:]*$",
    re.IGNORECASE,
)
PURPOSE = re.compile(
    r"(?<!found )(?<!shown )(?<!seen )(?<!known )(?<!proven )(?<!seems )(?<!appears )(?<!observed )"
    r"(?<!due )(?<!leads )(?<!leading )(?<!led )\bto (?:\w+ly )?$",
    re.IGNORECASE,
)
REPORTED_FAILURE = re.compile(
    r"\bfailed (?:runs?|attempts?|ones?)\b|\b(?:runs?|attempts?) (?:that|which) (?:has |"
    r"have )?"
    r"failed\b|\bfail(?:ed|ures?)\b(?=[^.]*\b(?:is|are|was|were|be) (?:also )?(?:listed|"
    r"reported|kept|told|included|shown)\b)",
    re.IGNORECASE,
)
# "[@fig:name] shows the ...": a picture is pointed at; nothing is claimed yet.
PRESENTS = re.compile(r"(?<=\ue002) (?:also |then )?(?:shows?|gives?)(?= (?:the|a|an|each|every|all)\b)", re.IGNORECASE)

# ---------------------------------------------------------------- methods, significance, placeholders

COMPARISON = words(
    *_BETTER,
    *_WORSE,
    r"than",
    r"compared (?:with|to)",
    r"versus",
    r"vs\.?",
    r"relative to",
    r"against",
    r"over(?= [A-Z])",
    r"exceed\w*",
    r"match(?:es|ed)",
    r"on par with",
    r"comparable (?:with|to)",
    r"contrast",
)
METHODS = {
    "gated": r"gated",
    "jumprelu": r"jump-?\s?relu",
    "batchtopk": r"batch-?\s?top-?k",
    "topk": r"(?<!batch)(?<!batch-)top-?k",
    "matryoshka": r"matryoshka",
    "transcoder": r"transcoders?",
    "crosscoder": r"crosscoders?",
    "pca": r"pca|principal components?",
    "ica": r"ica",
    "switch": r"switch saes?",
    "kmeans": r"k-means",
    "vanilla": r"vanilla (?:saes?|autoencoders?)",
    "crossover": r"end-to-end saes?",
    "nmf": r"nmf",
    "random": r"random (?:dictionary|baseline|saes?)",
    "prior work": r"(?:prior|previous|earlier|existing|other|published|competing|conventional|traditional|current|"
    r"all known) "
    r"(?:work|works|methods?|approaches|saes?|architectures?|results?|studies|techniques)",
    "state of the art": r"state[- ]of[- ]the[- ]art|sota",
    "literature": r"the literature",
}
SIGNIFICANT = re.compile(
    r"\b(?:statistical(?:ly)?|(?:in)?significan(?:t|tly|ce)|p-?values?|confidence intervals?|"
    r"hypothesis tests?|t-tests?|anova)\b|\bp\s*[<>=≤≥]",
    re.IGNORECASE,
)
# Names of procedures; what they yielded is another matter.
PROCEDURE = re.compile(r"p-values?|confidence intervals?|hypothesis tests?|t-tests?|statistical", re.IGNORECASE)
# Only a confirmed result is called so; in the exploration a run is ahead, behind, higher or lower.
IMPROVEMENT = words(
    r"improv(?:e|es|ed|ing|ements?)",
    r"outperform\w*",
    r"surpass\w*",
    r"beats?",
    r"beaten",
    r"superior(?:ity)?",
    r"wins?",
    r"won",
    r"dominat(?:e|es|ed)",
    r"confirm(?:s|ed|ing)?",
    r"prov(?:e|es|ed|en)",
)
PLACEHOLDER = re.compile(
    r"\b(?:TODO|FIXME|XXX+|TBD|TBA)\b|\blorem\b|\bipsum\b|(?-i:\bHERE\b)|\[\s*(?:insert|"
    r"placeholder|add|"
    r"your|fill)\b[^\]]*\]?|<\s*(?:insert|placeholder)[^>]*>?|\?\?\?|\bcitation needed\b|"
    r"\bto be (?:written|filled in|added|determined)\b|\bplaceholder\b",
    re.IGNORECASE,
)
