"""Function words, left out of lyrics on request."""

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

# scikit-learn's list is made for a tokenizer that cuts "don't" in two; here it is one word.
_CONTRACTIONS = """
i'm i've i'd i'll you're you've you'd you'll he's he'd he'll she's she'd she'll
it's it'd it'll we're we've we'd we'll they're they've they'd they'll
that's that'd that'll there's there'd there'll here's who's who'd who'll what's what're what'll
where's when's why's how's let's y'all
ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mustn't needn't
shan't shouldn't wasn't weren't won't wouldn't
could've might've must've should've would've
"""

_BENGALI = """
আমি আমাকে আমায় আমার আমারে আমরা আমাদের মোর মোরে মোরা মম
তুমি তোমাকে তোমায় তোমার তোমারে তোমরা তোমাদের তুই তোকে তোর তোরে তোরা তোদের তব
আপনি আপনাকে আপনার আপনারা আপনাদের
সে তাকে তাহাকে তার তাহার তারে তাতে তারা তাহারা তাদের তিনি তাঁকে তাঁর তাঁরা তাঁদের
এ এই এটা এটি একে এর এরা এদের এমন এত এখন এখানে এবার ইহা
ও ওই ঐ ওকে ওর ওরা ওদের ওখানে
তা তাই তাহা তাহলে তবে তবু তবুও তো সেই সেটা সেখানে তখন তেমন তত
যে যা যাহা যাকে যার যারা যাদের যেই যেটা যেন যেমন যখন যেখানে যত যদি যদিও যাতে যিনি
কে কি কী কাকে কার কারা কাদের কেউ কেহ কোন কোনো কিছু কেন কেমন কখন কখনো কোথা কোথায় কত কবে
আর এবং কিন্তু অথবা কিংবা বা নাকি অথচ বরং সুতরাং নইলে
না নাই নেই নয় নি নহে হ্যাঁ
থেকে হতে চেয়ে দিয়ে নিয়ে দ্বারা জন্য জন্যে তরে প্রতি পরে আগে পর মাঝে মধ্যে সাথে সঙ্গে
কাছে উপর উপরে ভিতরে ভেতরে পানে ছাড়া বিনা মতো মত পর্যন্ত
হয় হই হও হন হল হলো হলে হয়ে হবে হোক হয়েছে হয়েছিল হচ্ছে হত হতো
আছে আছি আছো আছ ছিল ছিলে ছিলাম থাকে থাকি থাকবে রবে রয় রয়েছে
করে করি করো কর করেন করা করতে করব করবে করেছে করেছি করলে করলো করছে
যায় গেছে গেল গেলো দেয় দেয়া
একটা একটি একটু অনেক সব সবাই সকল সবার সকলে সকলের খুব আরো আরও শুধু কেবল আবার হায় ওগো ওরে রে গো হে
"""

_GERMAN = """
ich mich mir meiner mein meine meinen meinem meines du dich dir deiner dein deine deinen deinem
deines
er ihn ihm sie ihnen ihr ihre ihren ihrem ihrer ihres sein seine seinen seinem seiner seines es
wir uns unser unsre unsere unseren unserem unserer unseres euch euer eure euren eurem eurer eures
sich selbst einander man jemand niemand etwas nichts nix alles
der die das den dem des ein eine einen einem einer eines n ne nen nem ner
dieser diese dieses diesen diesem jener jene jenes jenen jenem
jeder jede jedes jeden jedem alle allen allem aller mancher manche manches manchen
viel viele vielen mehr wenig solche solcher solchen einige andere anderen anderer anderes anderem
kein keine keinen keinem keiner keines nicht nie niemals nein ja doch
wer wen wem wessen was welcher welche welches welchen wie wo wohin woher wann warum wieso weshalb
und oder aber denn sondern sowie weder noch dass daß weil wenn als ob obwohl damit während bevor bis
seit in im ins an am ans auf aufs aus bei beim mit nach von vom vor zu zum zur für gegen ohne
um durch über übers unter hinter neben zwischen wegen trotz ab
da dann dort hier hin her hinaus hinein herein heraus daran darauf daraus dafür dagegen daher dahin
darin darum davon dazu drum dran drauf drin raus rein rauf runter so
auch nur schon immer wieder jetzt nun mal einmal sehr ganz gar eben fast vielleicht sonst zwar also
etwa bloß wohl halt eh zurück weiter weg
bin bist ist sind seid war warst waren wart wär wäre wären sei gewesen
hab habe hast hat haben habt hatte hattest hatten hätt hätte hätten gehabt
werd werde wirst wird werden wurde wurden würd würde würden worden ward
kann kannst können könnt konnte konnten könnte könnten
muss muß musst müssen müsst musste mussten müsste
will willst wollen wollt wollte wollten soll sollst sollen sollt sollte sollten
mag magst mögen möcht möchte darf darfst dürfen lass lässt lassen
mach macht machen tu tut tun geht gibt gib kommt
ich's du's er's es's wir's ihr's ist's hab's gibt's geht's wenn's wie's war's
"""

ENGLISH = ENGLISH_STOP_WORDS.union(_CONTRACTIONS.split())
BENGALI = frozenset(_BENGALI.split())
GERMAN = frozenset(_GERMAN.split())
