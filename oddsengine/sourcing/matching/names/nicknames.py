"""Other names of clubs: nicknames, abbreviations, names in other languages that no transliteration leads to.

Only those with one meaning. Names of clubs that are listed here are known: two of them are never spellings of one.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

from oddsengine.sourcing.matching.names.american_teams import COLLEGES, ESPORTS, OTHERS, SHORT, TEAMS
from oddsengine.sourcing.matching.names.namesakes import NAMESAKES

#: A line a club: its name, then its other names.
CLUBS: Final = """
arsenal; gunners, the gunners, the arsenal, arsenal london, アーセナル, 阿森纳, أرسنال
aston villa; villa, a villa, aston v, астон вилла, アストン・ヴィラ, 阿斯顿维拉, أستون فيلا
bournemouth; b~mouth, борнмут, 伯恩茅斯, ボーンマス, بورنموث
brentford; brentford london, брентфорд, 布伦特福德, ブレントフォード, برينتفورد
brighton hove albion; brighton, brighton ha, brighton hove, брайтон, 布莱顿, ブライトン, برايتون
burnley; бернли, 伯恩利, バーンリー, بيرنلي
chelsea; chelsea london, челси, チェルシー, 切尔西, تشيلسي
crystal palace; palace, c palace, crystal pal, кристал пэлас, クリスタル・パレス, 水晶宫, كريستال بالاس
everton; everton liverpool, эвертон, エヴァートン, エバートン, 埃弗顿, إيفرتون
fulham; fulham london, фулхэм, フラム, 富勒姆, فولهام
leeds united; leeds, leeds utd, лидс, лидс юнайтед, リーズ, リーズ・ユナイテッド, 利兹联, ليدز يونايتد
leicester city; leicester, лестер, лестер сити, レスター, レスター・シティ, 莱斯特城, ليستر سيتي
liverpool; l~pool, ливерпуль, リヴァプール, リバプール, 利物浦, ليفربول
manchester city; man city, man c, mancity, mcfc, манчестер сити, манчестер-сити, マンチェスター・シティ, 曼城, 曼彻斯特城, مانشستر سيتي
manchester united; man united, man u, manunited, manutd, manchester u, manchester utd, манчестер юнайтед, манчестер юн, мю, マンチェスター・ユナイテッド, 曼联, 曼彻斯特联, مانشستر يونايتد
newcastle united; newcastle, toon, n~castle united, ньюкасл, ньюкасл юнайтед, ニューカッスル, ニューカッスル・ユナイテッド, 纽卡斯尔联, 纽卡斯尔, نيوكاسل يونايتد, نيوكاسل
nottingham forest; forest, nottingham, n forest, nottingham f, ноттингем форест, ноттингем, ノッティンガム・フォレスト, 诺丁汉森林, نوتنغهام فورست
southampton; saints, саутгемптон, サウサンプトン, 南安普顿, ساوثهامبتون
sunderland; s~land, сандерленд, サンダーランド, 桑德兰, سندرلاند
tottenham hotspur; spurs, tottenham, tottenham london, тоттенхэм, тоттенхэм хотспур, トッテナム, トッテナム・ホットスパー, 热刺, 托特纳姆热刺, توتنهام, توتنهام هوتسبير
west bromwich albion; west brom, wba, west bromwich, w brom, west brom albion, вест бромвич, вест бромвич альбион, ウェスト・ブロムウィッチ, 西布朗
west ham united; west ham, hammers, w ham, westham, west ham london, вест хэм, вест хэм юнайтед, ウェストハム, ウェストハム・ユナイテッド, 西汉姆联, 西汉姆, وست هام, وست هام يونايتد
wolverhampton wanderers; wolves, wolverhampton, вулверхэмптон, ウォルヴァーハンプトン, ウルブス, 狼队, وولفرهامبتون
queens park rangers; qpr, queens park r, куинз парк рейнджерс, 女王公园巡游者
birmingham city; b~ham city, birmingham, бирмингем
blackburn rovers; blackburn, блэкберн
bolton wanderers; bolton, болтон
cardiff city; cardiff, кардифф
huddersfield town; huddersfield, хаддерсфилд
hull city; hull, hull city tigers, халл сити
middlesbrough; boro, middlesboro, middlesborough, m~brough, мидлсбро
norwich city; norwich, норвич
portsmouth; pompey, портсмут
preston north end; preston, pne, preston ne
reading; рединг
sheffield united; sheff u, шеффилд юнайтед
sheffield wednesday; шеффилд уэнсдей
stoke city; stoke, сток сити
swansea city; swansea, суонси
watford; уотфорд
wigan athletic; wigan, уиган
derby county; derby, дерби каунти
coventry city; coventry, ковентри
ipswich town; ipswich, ипсвич
luton town; luton, лутон
bradford city; bradford
burton albion; burton
barnsley
millwall
charlton athletic; charlton
rotherham united; rotherham
oxford united
cambridge united
celtic; селтик, セルティック, 凯尔特人, سلتيك
rangers; glasgow rangers, рейнджерс, レンジャーズ, 流浪者
heart of midlothian; hearts, heart midlothian
hibernian; hibs
aberdeen
barcelona; barca, барселона, バルセロナ, 巴塞罗那, 巴萨, برشلونة, μπαρτσελονα, ברצלונה, 바르셀로나
real madrid; реал мадрид, реал, レアル・マドリード, 皇家马德里, 皇马, ريال مدريد, ρεαλ μαδριτης, ריאל מדריד, 레알 마드리드
atletico madrid; atletico de madrid, atleti, atl madrid, атлетико мадрид, атлетико, アトレティコ・マドリード, 马德里竞技, 马竞, أتلتيكو مدريد, ατλετικο μαδριτης
athletic bilbao; athletic club, ath bilbao, атлетик бильбао, атлетик, アスレティック・ビルバオ, 毕尔巴鄂竞技, أتلتيك بلباو
real sociedad; sociedad, реал сосьедад, レアル・ソシエダ, 皇家社会, ريال سوسيداد
real betis; betis, бетис, реал бетис, ベティス, 皇家贝蒂斯, ريال بيتيس
seville; sevilla, севилья, セビージャ, 塞维利亚, إشبيلية
valencia; валенсия, バレンシア, 瓦伦西亚, فالنسيا
villarreal; вильярреал, ビジャレアル, 比利亚雷亚尔, فياريال
celta vigo; rc celta, celta, сельта, セルタ, 塞尔塔
espanyol; эспаньол, 西班牙人, エスパニョール
getafe; хетафе, ヘタフェ, 赫塔费, خيتافي
girona; жирона, ジローナ, 赫罗纳
mallorca; real mallorca, rcd mallorca, мальорка, マジョルカ, 马洛卡
osasuna; осасуна, オサスナ, 奥萨苏纳
rayo vallecano; rayo, райо вальекано, ラージョ・バジェカーノ, 巴列卡诺
deportivo alaves; alaves, алавес, 阿拉维斯, アラベス
las palmas; лас-пальмас, 拉斯帕尔马斯
bayern munich; bayern, бавария, バイエルン, バイエルン・ミュンヘン, 拜仁慕尼黑, 拜仁, بايرن ميونخ, μπαγερν μοναχου, באיירן מינכן
borussia dortmund; bvb, dortmund, b dortmund, bor dortmund, боруссия дортмунд, боруссия д, ドルトムント, 多特蒙德, بوروسيا دورتموند, ντορτμουντ
borussia monchengladbach; gladbach, m~gladbach, monchengladbach, moenchengladbach, боруссия менхенгладбах, боруссия мёнхенгладбах, ボルシアMG, 门兴格拉德巴赫, 门兴
bayer leverkusen; leverkusen, bayer 04 leverkusen, b leverkusen, байер, байер леверкузен, レバークーゼン, 勒沃库森, باير ليفركوزن
rb leipzig; leipzig, rasenballsport leipzig, лейпциг, рб лейпциг, ライプツィヒ, 莱比锡, لايبزيغ
eintracht frankfurt; frankfurt, ein frankfurt, айнтрахт франкфурт, айнтрахт, フランクフルト, 法兰克福, آينتراخت فرانكفورت
stuttgart; штутгарт, シュトゥットガルト, 斯图加特, شتوتغارت
wolfsburg; вольфсбург, ヴォルフスブルク, 沃尔夫斯堡
hoffenheim; tsg 1899 hoffenheim, 1899 hoffenheim, хоффенхайм, ホッフェンハイム, 霍芬海姆
werder bremen; bremen, вердер, вердер бремен, ブレーメン, 云达不莱梅
mainz 05; mainz, 1 mainz 05, майнц, майнц 05, マインツ, 美因茨
union berlin; 1 union berlin, унион берлин, ウニオン・ベルリン, 柏林联合
cologne; 1 cologne, кёльн, кельн, ケルン, 科隆
freiburg; фрайбург, フライブルク, 弗赖堡
augsburg; аугсбург, アウクスブルク, 奥格斯堡
hamburg; hamburger, hamburger sv, hsv, гамбург, ハンブルク, 汉堡
schalke 04; schalke, шальке, шальке 04, シャルケ, 沙尔克04
hertha berlin; hertha, hertha bsc, герта, ヘルタ・ベルリン
juventus; juve, juventus turin, ювентус, ユヴェントス, ユベントス, 尤文图斯, يوفنتوس, γιουβεντους
inter milan; inter, internazionale, internazionale milano, интер, интер милан, インテル, 国际米兰, إنتر ميلان, ιντερ
milan; ac milan, милан, ミラン, ACミラン, AC米兰, 米兰, ميلان, μιλαν
naples; napoli, наполи, ナポリ, 那不勒斯, نابولي
rome; as roma, roma, рома, ローマ, 罗马, روما
lazio; лацио, ラツィオ, 拉齐奥, لاتسيو
atalanta; аталанта, アタランタ, 亚特兰大, أتالانتا
fiorentina; фиорентина, フィオレンティーナ, 佛罗伦萨, فيورنتينا
turin; torino, торино, トリノ, 都灵
bologna; болонья, ボローニャ, 博洛尼亚
genoa; дженоа, ジェノア, 热那亚
sampdoria; сампдория, サンプドリア
udinese; удинезе, ウディネーゼ, 乌迪内斯
hellas verona; verona, верона
cagliari; кальяри, カリアリ
paris saint germain; psg, paris sg, paris st germain, псж, пари сен-жермен, пари сен жермен, パリ・サンジェルマン, 巴黎圣日耳曼, باريس سان جيرمان, παρι σεν ζερμεν
paris fc; paris football club
marseille; olympique marseille, om, марсель, マルセイユ, 马赛, مرسيليا
lyon; olympique lyonnais, olympique lyon, лион, リヨン, 里昂, ليون
monaco; монако, モナコ, 摩纳哥, موناكو
brest; stade brestois, stade brestois 29
lorient; лорьян, лорьен
lille; losc, losc lille, лилль, リール, 里尔, ليل
nice; ogc nice, ницца, ニース, 尼斯, نيس
rennes; stade rennais, ренн, レンヌ, 雷恩
nantes; нант, ナント
strasbourg; rc strasbourg alsace, strasbourg alsace, racing strasbourg, страсбург, ストラスブール
lens; racing lens, ланс, ランス, 朗斯
saint etienne; сент-этьен, saint-etienne
reims; stade reims, stade de reims, реймс
porto; порту, ポルト, 波尔图, بورتو, πορτο
benfica; sl benfica, benfica lisbon, benfica lisboa, бенфика, ベンフィカ, 本菲卡, بنفيكا
sporting lisbon; sporting, sporting cp, sporting clube de portugal, sporting portugal, спортинг, спортинг лиссабон, スポルティング, 葡萄牙体育
braga; sporting braga, брага
ajax; ajax amsterdam, аякс, アヤックス, 阿贾克斯, أياكس
psv eindhoven; psv, псв, псв эйндховен, PSVアイントホーフェン, 埃因霍温
feyenoord; feyenoord rotterdam, фейеноорд, フェイエノールト, 费耶诺德
club brugge; brugge, club bruges, bruges, брюгге, クラブ・ブルッヘ, 布鲁日
anderlecht; андерлехт, アンデルレヒト, 安德莱赫特
galatasaray; галатасарай, ガラタサライ, 加拉塔萨雷, غلطة سراي
fenerbahce; fenerbahce istanbul, фенербахче, フェネルバフチェ, 费内巴切, فنربخشة
besiktas; бешикташ, ベシクタシュ, 贝西克塔斯, بشكتاش
trabzonspor; трабзонспор
antalyaspor; антальяспор
alanyaspor; аланьяспор
olympiacos; olympiakos, olympiacos piraeus, olympiakos piraeus, олимпиакос, オリンピアコス, 奥林匹亚科斯, أولمبياكوس, ολυμπιακος
panathinaikos; панатинаикос, パナシナイコス, 帕纳辛纳科斯, παναθηναικος
paok; paok thessaloniki, paok saloniki, паок, παοκ
aek athens; aek, аек, аек афины, αεκ
aris thessaloniki; aris, aris saloniki, арис, αρης
red star belgrade; crvena zvezda, црвена звезда београд, fk crvena zvezda, црвена звезда, црвена звезда белград, ツルヴェナ・ズヴェズダ, 贝尔格莱德红星
partizan belgrade; partizan, партизан, партизан белград
dinamo zagreb; динамо загреб, ディナモ・ザグレブ, 萨格勒布迪纳摩
hajduk split; hajduk, хайдук, хайдук сплит
cska moscow; цска, цска москва, cska, pfc cska moscow, CSKAモスクワ
spartak moscow; spartak, спартак, спартак москва, スパルタク・モスクワ, 莫斯科斯巴达
zenit saint petersburg; zenit, zenit st petersburg, зенит, зенит санкт-петербург, зенит спб, ゼニト, 圣彼得堡泽尼特
lokomotiv moscow; lokomotiv, локомотив, локомотив москва, lokomotiv moskva, ロコモティフ・モスクワ
dynamo moscow; dinamo moscow, динамо москва, dynamo moskva, dinamo moskva
dynamo kyiv; dynamo kiev, dinamo kiev, динамо киев, динамо київ, ディナモ・キエフ, 基辅迪纳摩
shakhtar donetsk; shakhtar, shakhtyor donetsk, шахтер донецк, шахтёр донецк, шахтар донецьк, シャフタール, 顿涅茨克矿工
maccabi tel aviv; מכבי תל אביב, m tel aviv, макаби тель-авив, маккаби тель-авив
ashdod; ms ashdod, אשדוד
hapoel beer sheva; הפועל באר שבע
hapoel jerusalem; הפועל ירושלים
maccabi netanya; מכבי נתניה
hapoel haifa; הפועל חיפה
maccabi haifa; מכבי חיפה, маккаби хайфа
hapoel tel aviv; הפועל תל אביב
beitar jerusalem; beitar, ביתר ירושלים
levski sofia; levski, левски, левски софия
cska sofia; цска софия, cska-sofia
cska 1948; cska 1948 sofia, цска 1948, цска 1948 софия
beroe; beroe stara zagora, берое
cherno more; cherno more varna, черно море, черно море варна
slavia prague; slavia praha, славия прага
sparta prague; sparta praha, спарта прага
legia warsaw; legia warszawa, легия варшава, легия
lech poznan; лех познань, лех
red bull salzburg; rb salzburg, salzburg, зальцбург, ザルツブルク, 萨尔茨堡红牛
rapid vienna; rapid wien, рапид вена
copenhagen; fc copenhagen, fc kobenhavn, копенгаген
malmo; мальмё, мальме
al hilal; al hilal riyadh, al-hilal saudi, аль-хиляль, الهلال, アル・ヒラル, 利雅得新月
al nassr; al nassr riyadh, al nasr riyadh, al nassr saudi, al-nassr, аль-наср, النصر, アル・ナスル, 利雅得胜利
al ittihad; al ittihad jeddah, al-ittihad, аль-иттихад, الاتحاد, アル・イテハド, 吉达联合
al ahli; al ahli jeddah, al-ahli saudi, الأهلي السعودي
al ahly; al ahly cairo, аль-ахли каир, الأهلي المصري
zamalek; замалек, الزمالك
al fateh; الفتح
al taawoun; al taawon, التعاون
al fayha; al feiha, الفيحاء
al ettifaq; al ittifaq, الاتفاق
al raed; الرائد
al khaleej; al khalij, الخليج
al riyadh; الرياض
al shabab; الشباب
damac; dhamk, ضمك
al sadd; السد, аль-садд
al ain; العين, аль-айн
urawa red diamonds; urawa reds, urawa, 浦和レッズ, 浦和レッドダイヤモンズ, 浦和红钻
kashima antlers; kashima, 鹿島アントラーズ, 鹿岛鹿角
yokohama f marinos; yokohama fm, yokohama f. marinos, yokohama marinos, 横浜F・マリノス, 横浜f・マリノス, 横滨水手
kawasaki frontale; kawasaki, 川崎フロンターレ, 川崎前锋
vissel kobe; kobe, ヴィッセル神戸, 神户胜利船
gamba osaka; g osaka, ガンバ大阪, 大阪钢巴
cerezo osaka; c osaka, セレッソ大阪, 大阪樱花
sanfrecce hiroshima; hiroshima, サンフレッチェ広島, 广岛三箭
nagoya grampus; nagoya, 名古屋グランパス, 名古屋鲸鱼
tokyo; fc tokyo, FC東京, 东京FC
tokyo verdy; verdy tokyo, 東京ヴェルディ, 东京绿茵
kashiwa reysol; kashiwa, 柏レイソル, 柏太阳神
consadole sapporo; hokkaido consadole sapporo, sapporo, 北海道コンサドーレ札幌, 札幌冈萨多
shanghai port; shanghai sipg, 上海海港, 上海上港
shanghai shenhua; 上海申花, 申花
beijing guoan; 北京国安, 国安
shandong taishan; shandong luneng, 山东泰山, 山东鲁能
guangzhou; guangzhou evergrande, 广州队, 广州恒大
chengdu rongcheng; 成都蓉城
zhejiang; zhejiang professional, 浙江队, 浙江
changchun yatai; 长春亚泰
wuhan three towns; 武汉三镇
tianjin jinmen tiger; tianjin teda, 天津津门虎
jeonbuk hyundai motors; jeonbuk, jeonbuk motors, jeonbuk hyundai, 전북 현대, 전북 현대 모터스
ulsan hd; ulsan hyundai, ulsan, 울산 HD, 울산 현대, 울산
seoul; fc seoul, FC 서울, 서울
pohang steelers; pohang, 포항 스틸러스
flamengo; flamengo rj, fla, cr flamengo, фламенго, フラメンゴ, 弗拉门戈
palmeiras; se palmeiras, palmeiras sp, палмейрас, パルメイラス, 帕尔梅拉斯
corinthians; sc corinthians, corinthians sp, коринтианс, コリンチャンス, 科林蒂安
sao paulo; sao paulo fc, sao paulo sp, сан-паулу, サンパウロ, 圣保罗
santos; santos fc, santos sp, сантос, サントス, 桑托斯
fluminense; fluminense rj, флуминенсе, フルミネンセ
botafogo; botafogo rj, ботафого, ボタフォゴ
vasco da gama; vasco, cr vasco da gama, васко да гама
gremio; gremio porto alegre, gremio rs, gremio fbpa, гремио, グレミオ
internacional; sc internacional, internacional rs, интернасьонал
atletico mineiro; atletico mg, atl mineiro, атлетико минейро
cruzeiro; cruzeiro mg, крузейро
boca juniors; boca, бока хуниорс, ボカ・ジュニアーズ, 博卡青年
river plate; river, ривер плейт, リーベル・プレート, 河床
talleres cordoba; talleres, ca talleres, talleres de cordoba
belgrano; ca belgrano, belgrano cordoba, belgrano de cordoba
argentinos juniors; aa argentinos juniors, argentinos jrs, argentinos
racing club; racing avellaneda, racing club avellaneda
independiente; ca independiente, independiente avellaneda
san lorenzo; san lorenzo almagro, сан-лоренсо
penarol; пеньяроль
club america; america, cf america, america mexico
guadalajara; chivas, chivas guadalajara, cd guadalajara
"""
#: Which tables hold in a sport: a short name of a club in one sport is another team's in the next.
_AMERICAN: Final = frozenset({"baseball", "american_football"})
_BOTH: Final = frozenset({"", "football", "basketball", "ice_hockey"})
_NEITHER: Final = frozenset({"rugby_league", "rugby_union", "cricket", "aussie_rules", "volleyball", "netball"})
#: Sports of single players or pairs of them.
INDIVIDUAL: Final = frozenset(
    {"tennis", "table_tennis", "badminton", "squash", "darts", "snooker", "boxing", "mma", "golf", "chess", "pool", "padel"}
)
Family = Literal["american", "both", "neither", "clubs", "individual", "esports"]


def family_of(sport: str) -> Family:
    """Return which names of teams are known in a sport."""
    if sport in _AMERICAN:
        return "american"
    if sport in _BOTH:
        return "both"
    if sport in INDIVIDUAL:
        return "individual"
    if sport == "esports":
        return "esports"
    return "neither" if sport in _NEITHER else "clubs"


def known_names(family: Family) -> dict[str, tuple[str, ...]]:
    """Return the names that are known in a family of sports with their other names, as they are written."""
    known: dict[str, list[str]] = {}
    clubs = (CLUBS, NAMESAKES) if family in {"both", "clubs"} else ()
    american = (SHORT, COLLEGES) if family in {"both", "american"} else ()
    esports = (ESPORTS,) if family == "esports" else ()
    for table in (*clubs, *american, *esports, OTHERS):
        for line in table.strip().splitlines():
            name, _, others = line.partition(";")
            known.setdefault(name, []).extend(other.strip() for other in others.split(",") if other.strip())
    alone = _alone() if family == "american" else frozenset()
    for line in TEAMS.strip().splitlines() if american else ():
        where, _, teams = line.partition(":")
        town, _, codes = where.partition(";")
        for team in teams.split(","):
            short = [f"{code.strip()} {team.strip()}" for code in codes.split(",") if code.strip()]
            known.setdefault(f"{town} {team.strip()}", []).extend([*short, *({team.strip()} & alone)])
    return {name: tuple(others) for name, others in known.items()}


def _alone() -> frozenset[str]:
    """Return the second names that one professional team only has."""
    counts = Counter(team.strip() for line in TEAMS.strip().splitlines() for team in line.partition(":")[2].split(","))
    return frozenset(team for team, count in counts.items() if count == 1)


def colleges() -> frozenset[str]:
    """Return the names of the colleges that are known."""
    return frozenset(line.partition(";")[0] for line in COLLEGES.strip().splitlines())
