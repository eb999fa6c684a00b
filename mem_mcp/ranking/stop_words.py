"""Stop words: the words of each language that say nothing by themselves.

They are also what a text's language is recognised by. Words stand here as they are written, and
are compared with accents folded and in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping

from mem_mcp.ranking.folding import fold

_ENGLISH = """
a about after again ain all also am an and any are aren as at be because been before being but by
can could couldn d did didn do does doesn doing don done for from get got had hadn has hasn have
haven having he her here hers him his how i if in into is isn it its just ll m me might
more most much must my no nor not now of off on once only or other our ours out over re s shall
she should shouldn so some such t than that the their theirs them then there these they this those
through to too under until up us ve very was wasn we were weren what when where which while who
whom whose why will with won would wouldn you your yours
"""
# In the order of the alphabet of their codes.
_LATIN = {
    "ca": """
        a al als amb aquest aquesta aquests això com de del dels des el ella elles ells els em en
        ens era és està estan eren fa ha han hem hi i jo la les li ho m'ha me meu meva molt més no
        nosaltres o on per perquè però qual quan què que qui s'ha se sense seu seva seus són també
        te teu tots tot un una uns va van vaig
        """,
    "cs": """
        a aby ale ani az bez bude byl byla bylo byly být co do ho i já jak jako je jeho její jen
        jsem jsme jsou k kde kdo kdy kdyz která které který ma má mám mě mi mít můj na nebo není
        než o od on ona oni po pod podle pro proč protože před při s se si tak také tam ten to tu u
        už v ve vše z za ze že
        """,
    "da": """
        af alle at blev da de dem den der deres det dig din dit du efter eller en er et for fra få
        han har havde ham hende hun hvad hvem hvilken hvilket hvis hvor hvornår hvorfor i ikke ind
        jeg jer kan kun lige man med meget men mig min mit mod mit ned nogle nu når og også om op
        os på sig sin skal som så til ud var ved vi vil være været
        """,
    "de": """
        aber alle allem allen aller alles als also am an auch auf aus bei beim bin bis bist da damit
        dann das dass dein deine deinem deinen deiner dem den denn der des dich die dies diese
        diesem diesen dieser dieses dir doch du durch ein eine einem einen einer eines er es etwas
        euch euer für gibt hab habe haben hat hatte hatten hier ich ihm ihn ihnen ihr ihre ihrem
        ihren ihrer im in ins ist ja kann kein keine keinem keinen keiner man mein meine meinem
        meinen meiner mich mir mit nach nicht noch nun nur ob oder ohne schon sehr sein seine seinem
        seinen seiner seit sich sie sind so über um und uns unser unsere unter vom von vor wann war
        waren warum was weil welche welchem welchen welcher welches wem wen wenn wer werden wie
        wieder wir wird wo worden wurde wurden zu zum zur zwischen
        """,
    "es": """
        a al algo ante antes aquel aquella así aunque cada como con contra cual cuál cuales cuáles
        cuándo cuando cuánto cuántos cómo de del desde donde dónde dos e el él ella ellas ellos en
        entre era eran es esa ese eso esta está estaba están estas este esto estos fue fueron ha
        había han hasta hay la las le les lo los más me mi mis mientras mucho muy nada ni no nos
        nosotros o os otra otro para pero por porque qué que quien quién quienes se según ser si sí
        sin sobre son su sus también tan te tiene tienen todo todos tu tus un una unas uno unos y ya
        yo
        """,
    "et": """
        aga ei ega et ja ka kas kes kui kuid kus kuidas ma me meie mida mina miks millal mis mu mul
        nad neid nende need nii oli olid olla oma on pole sa see seda sel selle siis sinu ta tema
        ta te teie tema välja veel või
        """,
    "eu": """
        baina bat batek bere da dago dira du dute edo egin eta ez gure hau hori horrek izan zen
        ziren nire nola non noiz nor zein zer zuen
        """,
    "fi": """
        ei eivät en että hän hänen ja jo joka jos jotka kanssa koska kuin kuka kun kuinka me meidän
        mikä milloin minä minun mitä missä mutta myös ne niin nyt oli olen olet olin olivat on onko
        ovat se sen siellä siitä sinä sitä tai te tämä tämän vai vain vaan
        """,
    "fr": """
        à ai alors au aussi aux avait avec avoir c ce ceci cela ces cet cette ceux chez comme
        comment d dans de des dont du elle elles en entre est et était étaient été être eu fait il
        ils j je l la le les leur leurs lui m ma mais me mes moi mon n ne nos notre nous on ont ou
        où par pas plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se
        sera ses si son sont sous sur t ta te tes toi ton tous tout très tu un une vers vos votre
        vous y
        """,
    "ga": """
        agus an ar as ata ba bhi bhí cad chun do dom faoi go is le leis na ní nach ó sa sin sé sí
        tá tú
        """,
    "hu": """
        a az azt de egy ez ezt és én hogy hol ha is itt ki kell lesz meg mert mi mikor milyen mint
        mit most nagyon nem ne volt voltak van vannak vagy azonban által után csak már még ő ők
        """,
    "id": """
        ada adalah akan aku anda apa apakah atau bagaimana bisa bukan dalam dan dapat dari dengan di
        dia ini itu jika juga kami kapan karena ke kepada kita lagi mana mengapa mereka oleh pada
        para saat saya sebagai sebuah siapa sudah telah tetapi tidak untuk yang
        """,
    "it": """
        a ad agli ai al alla alle allo anche c che chi ci ciò coi col come con cosa cui da dagli
        dai dal dalla dalle dei degli del dell della delle dello di do dopo dove e è ed era erano
        fra fu furono gli ha hanno ho i il in io l la le lei li lo loro lui ma mi mia mie miei mio
        ne nei nel nella nelle nello noi non nostro o per perché più poi qual quale quali quando
        quanto quanti quella quello questa queste questi questo s se sei si sia sono sta stato su
        sua sue sugli sui sul sulla suo suoi tra tu tua tuo tutti tutto un una uno vi voi
        """,
    "lt": """
        ar aš bet bus buvo dar iki ir iš jau jei ji jie jis kad kai kaip kas koks kur labai man mano
        mes ne nes nuo o pagal per po prie su tai taip tas tik tu už yra į
        """,
    "nl": """
        aan al alle als bij dan dat de deze die dit door dus een en er ge geen had haar hadden heb
        hebben heeft hem het hier hij hoe hun ik in is ja je jij kan maar me meer men met mij mijn
        na naar niet nog nu of om ons onze onder ook op over te tegen toch toen tot u uit van veel
        voor waar waarom wanneer want waren was wat we wel welk welke werd wie wij wordt zal ze
        zich zij zijn zo zonder zou
        """,
    "no": """
        av alle at ble blir da de deg den der deres det din ditt du eller en er et etter for fra få
        ha han har hadde henne hennes hun hva hvem hvilken hvis hvor hvordan hvorfor i ikke inn jeg
        kan man med meg men mer min mitt mot noe noen nå når og også om opp oss på seg sin skal som
        så til ut var ved vi vil være vært
        """,
    "pl": """
        a aby albo ale bardzo bez być był była było były co czy dla do gdy gdzie go i ich ile im ja
        jak jako je jego jej jest jestem już kiedy kto która które który ma mam mi mnie moja moje
        mój może na nad nam nas nie niż o od on ona oni po pod podczas przed przez przy się są ta
        tak także tam te tego tej ten to tu tylko tym u w we więc z za ze że
        """,
    "pt": """
        a à ao aos as às até com como da das de dela dele deles depois do dos e é ela elas ele eles
        em entre era eram essa esse esta está estão estava este eu foi foram há isso isto já la lhe
        mais mas me mesmo meu minha muito na não nas nem no nos nós nossa nosso num numa o onde os
        ou para pela pelas pelo pelos por porque qual quais quando quanto quantos que quem são se
        sem ser será seu seus só sua suas também te tem têm teu tua um uma você vocês
        """,
    "ro": """
        a acest acesta această aceste ai al ale am are asta așa au aveau avea avem c
        când care ce cei cel cea cine cu cum că căreia da dar de decât deci despre din dintre doar
        după ea ei el ele
        era erau este eu face fi fost în între îl îmi își la le lor lui mai mea mele meu mi ne nici
        noi nostru nu o pe pentru prin sau se sunt și să s-a său sa ta te ți toate tot tu un una
        unde unei unor unui va vor voi
        """,
    "sv": """
        alla att av blev bli blir de dem den denna deras det detta dig din ditt du då efter eller en
        ett från för få ha hade han har hans henne hennes hon honom hur i inte ja jag kan man med
        men mer mig min mitt mot mycket ni nu när någon något och också om oss på sedan sig sin
        sitt ska som så till under upp ut utan vad var varför vem vi vid vilka vilken vilket vill
        vara varit än är
        """,
    "tr": """
        ama ancak ben beni benim bir biz bu bunu çok çünkü da daha de değil diye en gibi göre hangi
        her için ile ise kaç kadar ki kim mi mı mu mü nasıl ne neden nerede niçin o olan olarak
        oldu olduğu olur onlar onu onun sen sonra şey şu ta tarafından ve veya ya yok zaman var
        """,  # noqa: RUF001 - meant
    "vi": """
        anh ấy bạn bị bởi các cái cho chị chúng có cũng của cùng đã đang đây để đến đó do được em gì
        hay họ hoặc khi không là lại lên mà mình một nào này nên nếu người những như nhưng ở qua ra
        rằng rất sẽ sự tại tôi thì theo trên trong tới từ và vào về vì với vẫn
        """,
}
_OTHERS = """
а без бы был была были было быть в вам вас во вот все всех вы где да для до его ее её если есть еще
ещё же за и из или им их к как какая какие какой каких когда которая которые который кто ли мне мой
моя мы на над нам нас не него нее нет ни них но о об он она они оно от по под почему при с свой себя
со так также там те тем то того тоже только том ты у уже чем что чтобы чего эта эти это этого этой
этом этот я
але бути був була були в від він вона вони для до з за й й і із їх його її коли на не по про та так
також хто це цей що щоб як який яка які я є
από για δεν είναι είχε ένα ένας εγώ εκεί ή ήταν θα και κάθε κατά με μετά μέχρι μη μια μας μου να ο
οι όπως όταν ότι που ποια ποιο ποιος ποιοι ποιες πότε πού πως πώς σας σε στα στη στην στις στο στον
στους σου τα τη την της τι τις το τον του τους των ως
في من على إلى الى أن ان إن عن هو هي هم ما ماذا متى أين اين كيف لماذا كم هل لا لم لن قد كان كانت هذا
هذه ذلك تلك التي الذي الذين مع بعد قبل بين كل أو او و ثم حتى أنا انا نحن أنت عند عندما غير بعض أي اي
لها له لهم به بها فيه فيها منه منها عليه عليها
का की के को में है हैं था थी थे से ने पर और यह वह ये वे एक इस उस कि जो तो भी ही हो कर या क्या कब कहाँ कौन
कैसे क्यों किस किसी कितने कितनी मैं मेरा मेरी मेरे हम आप अपने अपनी अपना लिए साथ नहीं गया गई गए हुआ हुई हुए द्वारा
जब तक बाद जैसे इसके उनके उसके
של את על לא אני הוא היא הם זה זאת עם כל גם או כי אם מה מי איפה מתי איך למה היה הייתה היו יש
אין אל מן
در از به که را با این آن برای است بود شد شده می ها یک تا هم نیز یا اما اگر چه کی کجا چرا چگونه
من تو او ما
"""  # noqa: RUF001


def _words(text: str) -> frozenset[str]:
    return frozenset(fold(word).casefold() for word in text.split())


ENGLISH: frozenset[str] = _words(_ENGLISH)
LATIN: Mapping[str, frozenset[str]] = {
    "en": ENGLISH,
    **{language: _words(text) for language, text in _LATIN.items()},
}
"""Of languages in Latin letters, by ISO 639-1 code."""
OTHERS: frozenset[str] = _words(_OTHERS)
"""Of languages in other scripts: no word of one of them is written one of another that says
something."""
