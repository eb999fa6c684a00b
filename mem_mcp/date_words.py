"""The words for months, weekdays, relative days and spans of time, in many languages.

English, German, Spanish, French, Italian, Portuguese, Dutch, Swedish, Polish, Romanian, Russian,
Greek, Turkish, Indonesian, Vietnamese, Arabic, Hindi, Thai, Chinese, Japanese and Korean, in lower
case. Chinese, Japanese and Korean months are written with digits (6月), as `dates` knows.
"""
# ruff: noqa: RUF001 - letters of other alphabets look like Latin ones

MONTHS = (
    "january jan januar jänner enero janvier gennaio janeiro januari stycznia styczniu styczeń"
    " ianuarie января январе январь ιανουαρίου ιανουάριο ιανουάριος ocak ocakta يناير जनवरी"
    " มกราคม มกรา ม.ค.",
    "february feb februar febrero février febbraio fevereiro februari lutego lutym luty februarie"
    " февраля феврале февраль φεβρουαρίου φεβρουάριο φεβρουάριος şubat şubatta فبراير फरवरी फ़रवरी"
    " กุมภาพันธ์ กุมภา ก.พ.",
    "march mar märz marzo mars março maart marca marcu marzec martie maret марта марте март"
    " μαρτίου μάρτιο μάρτιος mart martta مارس मार्च มีนาคม มีนา มี.ค.",
    "april apr abril avril aprile kwietnia kwietniu kwiecień aprilie апреля апреле апрель"
    " απριλίου απρίλιο απρίλιος nisan nisanda أبريل ابريل अप्रैल เมษายน เมษา เม.ย.",
    "may mai mayo maggio maio mei maj maja maju мая мае май μαΐου μάιο μάιος mayıs mayısta مايو मई"
    " พฤษภาคม พฤษภา พ.ค.",
    "june jun juni junio juin giugno junho czerwca czerwcu czerwiec iunie июня июне июнь"
    " ιουνίου ιούνιο ιούνιος haziran haziranda يونيو जून มิถุนายน มิถุนา มิ.ย.",
    "july jul juli julio juillet luglio julho lipca lipcu lipiec iulie июля июле июль"
    " ιουλίου ιούλιο ιούλιος temmuz temmuzda يوليو जुलाई กรกฎาคม กรกฎา ก.ค.",
    "august aug agosto août augustus augusti sierpnia sierpniu sierpień agustus августа августе"
    " август αυγούστου αύγουστο αύγουστος ağustos ağustosta أغسطس اغسطس अगस्त สิงหาคม สิงหา ส.ค.",
    "september sep sept septiembre septembre settembre setembro września wrześniu wrzesień"
    " septembrie сентября сентябре сентябрь σεπτεμβρίου σεπτέμβριο σεπτέμβριος eylül eylülde"
    " سبتمبر सितंबर सितम्बर กันยายน กันยา ก.ย.",
    "october oct oktober octubre octobre ottobre outubro października październiku październik"
    " octombrie октября октябре октябрь οκτωβρίου οκτώβριο οκτώβριος ekim ekimde أكتوبر اكتوبر"
    " अक्टूबर अक्तूबर ตุลาคม ตุลา ต.ค.",
    "november nov noviembre novembre novembro listopada listopadzie listopad noiembrie ноября"
    " ноябре ноябрь νοεμβρίου νοέμβριο νοέμβριος kasım kasımda نوفمبر नवंबर नवम्बर พฤศจิกายน"
    " พฤศจิกา พ.ย.",
    "december dec dezember diciembre décembre dicembre dezembro grudnia grudniu grudzień decembrie"
    " desember декабря декабре декабрь δεκεμβρίου δεκέμβριο δεκέμβριος aralık aralıkta ديسمبر"
    " दिसंबर दिसम्बर ธันวาคม ธันวา ธ.ค.",
)
AMBIGUOUS = "may mar march mars mai mei maj maja mart ekim nisan sep jan sept май"
"""Words that are months only beside a preposition, a day or a year."""

WEEKDAYS = (
    "monday montag lunes lundi lunedì segunda-feira maandag måndag poniedziałek poniedziałku luni"
    " понедельник δευτέρα pazartesi senin الاثنين सोमवार วันจันทร์ 星期一 周一 月曜 월요일",
    "tuesday dienstag martes mardi martedì terça-feira dinsdag tisdag wtorek marți вторник τρίτη"
    " salı selasa الثلاثاء मंगलवार วันอังคาร 星期二 周二 火曜 화요일",
    "wednesday mittwoch miércoles mercredi mercoledì quarta-feira woensdag onsdag środę środa"
    " miercuri среду среда τετάρτη çarşamba rabu الأربعاء बुधवार วันพุธ 星期三 周三 水曜 수요일",
    "thursday donnerstag jueves jeudi giovedì quinta-feira donderdag torsdag czwartek joi четверг"
    " πέμπτη perşembe kamis الخميس गुरुवार วันพฤหัส 星期四 周四 木曜 목요일",
    "friday freitag viernes vendredi venerdì sexta-feira vrijdag fredag piątek vineri пятницу"
    " пятница παρασκευή cuma jumat الجمعة शुक्रवार วันศุกร์ 星期五 周五 金曜 금요일",
    "saturday samstag sonnabend sábado samedi sabato zaterdag lördag sobotę sobota sâmbătă субботу"
    " суббота σάββατο cumartesi sabtu السبت शनिवार วันเสาร์ 星期六 周六 土曜 토요일",
    "sunday sonntag domingo dimanche domenica zondag söndag niedzielę niedziela duminică"
    " воскресенье κυριακή pazar minggu الأحد रविवार วันอาทิตย์ 星期日 星期天 周日 日曜 일요일",
)

AFTER_NA = "segunda terça quarta quinta sexta"
"""Portuguese weekdays from Monday, which are numbers elsewhere than behind "na"."""

DAYS = {
    -14: "a fortnight ago|hace quince días|il y a quinze jours|قبل أسبوعين|منذ أسبوعين",
    -2: "the day before yesterday|vorgestern|anteayer|antes de ayer|avant-hier|l'altro ieri"
    "|anteontem|eergisteren|i förrgår|przedwczoraj|alaltăieri|позавчера|προχθές|evvelsi gün"
    "|kemarin lusa|hôm kia|أول أمس|قبل يومين|منذ يومين|วานซืน|เมื่อวานซืน|前天|一昨日|おととい|그저께",
    -1: "yesterday|last night|gestern|ayer|anoche|hier|ieri|ontem|gisteren|igår|i går|wczoraj"
    "|вчера|χθες|χτες|dün|kemarin|hôm qua|أمس|البارحة|เมื่อวานนี้|เมื่อวาน|เมื่อคืน|昨天|昨晚"
    "|昨日|きのう|ゆうべ|어제",
    0: "today|tonight|this morning|heute|hoy|aujourd'hui|oggi|hoje|vandaag|idag|i dag|dzisiaj|dziś"
    "|astăzi|azi|сегодня|σήμερα|bugün|hari ini|hôm nay|اليوم|आज|วันนี้|今天|今日|きょう|오늘",
    1: "tomorrow|morgen|mañana|demain|domani|amanhã|imorgon|i morgon|jutro|mâine|завтра|αύριο"
    "|yarın|besok|ngày mai|غدا|غدًا|พรุ่งนี้|明天|明日|あした|내일",
    2: "the day after tomorrow|übermorgen|pasado mañana|après-demain|dopodomani|depois de amanhã"
    "|overmorgen|i övermorgon|pojutrze|poimâine|послезавтра|μεθαύριο|öbür gün|lusa|ngày kia"
    "|بعد غد|มะรืน|后天|明後日|あさって|모레",
}
"""Days from the day something is said. In Hindi one word is yesterday and tomorrow."""

SPANS = {
    ("week", -2): "the week before last|vorletzte woche|vorletzter woche|позапрошлой неделе|上上周"
    "|上上星期|先々週",
    ("month", -2): "قبل شهرين|منذ شهرين",
    ("year", -2): "vorletztes jahr|前年|позапрошлом году|قبل سنتين|منذ سنتين|قبل عامين|منذ عامين",
    (
        "week",
        -1,
    ): "last week|past week|previous week|letzte woche|letzter woche|letzten woche|vorige woche"
    "|semana pasada|semaine dernière|settimana scorsa"
    "|semana passada|vorige week|afgelopen week|förra veckan"
    "|zeszłym tygodniu|săptămâna trecută|на прошлой неделе|прошлой неделе"
    "|неделю назад|την περασμένη εβδομάδα"
    "|την προηγούμενη εβδομάδα|geçen hafta|minggu lalu|tuần trước|الأسبوع الماضي|पिछले सप्ताह"
    "|पिछले हफ्ते|पिछले हफ़्ते|สัปดาห์ที่แล้ว|สัปดาห์ก่อน|อาทิตย์ที่แล้ว|อาทิตย์ก่อน|上周|上星期|上个星期|上週|先週"
    "|지난주|지난 주",
    ("week", 0): "this week|diese woche|dieser woche|esta semana|cette semaine|questa settimana"
    "|deze week|den här veckan|w tym tygodniu|săptămâna aceasta|на этой неделе"
    "|αυτή την εβδομάδα|bu hafta|minggu ini|tuần này|هذا الأسبوع|इस सप्ताह|इस हफ्ते|สัปดาห์นี้"
    "|อาทิตย์นี้|这周|本周|这个星期|今週|이번 주|이번주",
    ("week", 1): "next week|nächste woche|nächster woche|kommende woche|próxima semana"
    "|semana que viene|semaine prochaine|settimana prossima|volgende week"
    "|nästa vecka|w przyszłym tygodniu|săptămâna viitoare|на следующей неделе"
    "|την επόμενη εβδομάδα|gelecek hafta|minggu depan|tuần sau|الأسبوع القادم|अगले सप्ताह"
    "|अगले हफ्ते|สัปดาห์หน้า|อาทิตย์หน้า|下周|下星期|下个星期|来週|다음 주|다음주",
    ("month", -1): "last month|letzten monat|letzter monat|vorigen monat|mes pasado"
    "|mois dernier|mese scorso|scorso mese|mês passado"
    "|vorige maand|afgelopen maand|förra månaden|w zeszłym miesiącu|luna trecută"
    "|в прошлом месяце"
    "|месяц назад|τον περασμένο μήνα|τον προηγούμενο μήνα|geçen ay|bulan lalu|tháng trước"
    "|الشهر الماضي|पिछले महीने|เดือนที่แล้ว|เดือนก่อน|上个月|上月|先月|지난달|지난 달",
    ("month", 0): "this month|diesen monat|dieser monat|este mes|ce mois-ci|questo mese|este mês"
    "|deze maand|den här månaden|w tym miesiącu|luna aceasta|в этом месяце|αυτόν τον μήνα|bu ay"
    "|bulan ini|tháng này|هذا الشهر|इस महीने|เดือนนี้|这个月|本月|今月|이번 달|이번달",
    ("month", 1): "next month|nächsten monat|nächster monat|mes próximo|próximo mes"
    "|mes que viene|mois prochain|mese prossimo|prossimo mese"
    "|próximo mês|volgende maand|nästa månad|w przyszłym miesiącu|luna viitoare"
    "|в следующем месяце|τον επόμενο μήνα|gelecek ay|bulan depan|tháng sau|الشهر القادم"
    "|अगले महीने|เดือนหน้า|下个月|来月|다음 달|다음달",
    ("year", -1): "last year|letztes jahr|letzten jahr|voriges jahr|año pasado"
    "|l'année dernière|l'an dernier|l'anno scorso|ano passado|vorig jaar|förra året"
    "|w zeszłym roku|anul trecut|в прошлом году"
    "|год назад|πέρσι|πέρυσι|geçen yıl|geçen sene|tahun lalu"
    "|năm ngoái|العام الماضي|السنة الماضية|पिछले साल|ปีที่แล้ว|ปีก่อน|去年|昨年|작년|지난해",
    ("year", 0): "this year|dieses jahr|diesem jahr|este año|cette année|quest'anno|este ano"
    "|dit jaar|i år|w tym roku|anul acesta|в этом году|φέτος|bu yıl|bu sene|tahun ini|năm nay"
    "|هذا العام|هذه السنة|इस साल|ปีนี้|今年|올해",
    ("year", 1): "next year|nächstes jahr|nächsten jahr|año próximo|próximo año"
    "|año que viene|l'année prochaine|l'anno prossimo|próximo ano|volgend jaar"
    "|nästa år|w przyszłym roku|anul viitor|в следующем году|του χρόνου|gelecek yıl|tahun depan"
    "|năm sau|العام القادم|अगले साल|ปีหน้า|明年|来年|내년",
    ("weekend", -1): "last weekend|past weekend|over the weekend|letztes wochenende|am wochenende"
    "|fin de semana pasado|week-end dernier|lo scorso weekend|afgelopen weekend"
    "|förra helgen|w zeszły weekend|на прошлых выходных|geçen hafta sonu|สุดสัปดาห์ที่แล้ว|上周末"
    "|先週末|지난 주말",
}

NUMBERS = (
    "1 एक"
    " one a an einem einer ein un una uno une um uma een en jeden jedną один одну bir một หนึ่ง"
    " 一 한",
    "2 दो"
    " two couple zwei dos deux due dois duas twee två dwa dwie două два две δύο iki dua hai"
    " สอง 两 二 두",
    "3 ثلاثة ثلاث तीन"
    " three drei tres trois tre três drie trzy trei три τρεις τρία üç tiga ba สาม 三 세",
    "4 أربعة أربع चार"
    " four vier cuatro quatre quattro quatro fyra cztery patru четыре τέσσερις dört empat bốn"
    " สี่ 四 네",
    "5 خمسة خمس पाँच पांच"
    " five fünf cinco cinq cinque vijf fem pięć cinci пять πέντε beş lima năm ห้า 五 다섯",
    "6 ستة ست छह छः six sechs seis sei zes sex sześć șase шесть έξι altı enam sáu หก 六 여섯",
    "7 سبعة سبع सात"
    " seven sieben siete sept sette sete zeven sju siedem șapte семь επτά yedi tujuh bảy เจ็ด"
    " 七 일곱",
    "8 ثمانية ثماني आठ"
    " eight acht ocho huit otto oito åtta osiem opt восемь οκτώ sekiz delapan tám แปด 八 여덟",
    "9 تسعة تسع नौ"
    " nine neun nueve neuf nove negen nio dziewięć nouă девять εννέα dokuz sembilan chín เก้า"
    " 九 아홉",
    "10 عشرة عشر दस"
    " ten zehn diez dix dieci dez tien tio dziesięć zece десять δέκα on sepuluh mười สิบ 十 열",
)
UNITS = {
    "day": "يوم أيام दिन"
    " day days tag tagen tage día días jour jours giorno giorni dia dias dag dagen dagar"
    " dzień dni zi zile день дня дней μέρα μέρες ημέρες gün hari ngày वน วัน 天 日 일",
    "week": "أسبوع أسابيع सप्ताह हफ्ते हफ़्ते"
    " week weeks woche wochen semana semanas semaine semaines settimana settimane weken"
    " vecka veckor tydzień tygodnie tygodni săptămână săptămâni неделю недели недель εβδομάδα"
    " εβδομάδες hafta minggu tuần สัปดาห์ อาทิตย์ 周 星期 週間 주",
    "month": "شهر أشهر شهور महीने"
    " month months monat monaten monate mes meses mois mese mesi mês maand maanden månad"
    " månader miesiąc miesiące miesięcy lună luni месяц месяца месяцев μήνα μήνες ay bulan tháng"
    " เดือน 个月 か月 개월 달",
    "year": "سنة سنوات عام أعوام साल"
    " year years jahr jahren jahre año años an ans année années anno anni ano anos jaar"
    " år rok lata lat ani год года лет χρόνο χρόνια yıl sene tahun năm ปี 年 년",
}
AGO = (
    "{amount}(?: of)? {unit} ago",
    "vor {amount} {unit}",
    "(?:hace|il y a|há|acum|för|πριν(?: από)?) {amount} {unit}",
    "(?:قبل|منذ) {amount} {unit}",
    "{amount} {unit} (?:fa|atrás|geleden|sedan|temu|назад|önce|lalu|yang lalu|trước|पहले)",
    "{amount} ?个?{unit} ?(?:[以之]?前|전|ที่แล้ว|ก่อน)",
)
"""How long ago something was."""
LASTING = (
    "(?:last|past|previous) {amount} {unit}",
    "(?:letzten|vergangenen|afgelopen|laatste|ostatnich|ostatnie|последние|последних|son)"
    " {amount} {unit}",
    "(?:últimos|últimas|ultimi|ultime) {amount} {unit}",
    "{amount} (?:derniers|dernières) {unit}",
    "(?:最近|过去|지난|최근|ช่วง) ?{amount} ?个?{unit}",
    "{amount} ?{unit}(?:ที่ผ่านมา|ล่าสุด)",
)
"""A time that ends today."""

BEFORE_MONTH = (
    "in since until till by early late mid last next of during between from im seit en de em"
)
"""Words before an ambiguous month."""

SINCE = (
    "since after from seit ab nach desde después depuis après dal dopo depois sinds vanaf"
    " sedan efter od din după с со после από μετά sejak setelah từ sau منذ بعد ตั้งแต่ หลัง 自 从"
)
SINCE_AFTER = "以来 之后 以后 から 以降 부터 이후 से के बाद 'den beri den beri dan beri"
BEFORE = (
    "before until till by vor bis antes hasta avant jusqu'à jusqu'en prima fino até voor tot före"
    " till przed înainte până до перед πριν μέχρι sebelum sampai trước قبل حتى ก่อน จนถึง"
)
BEFORE_AFTER = "之前 以前 まで より前 까지 이전 तक से पहले"
TO = "to and until till through bis und y a et à e a en och i do și по и και ile dan sampai đến إلى و ถึง และ 到 至 から 부터 से - – —"  # noqa: E501
"""Words between the two ends of a time."""
