"""Countries: their codes, their adjectives in the names of competitions, and their names in other languages."""

from __future__ import annotations

from typing import Final

# A line a country: its name, its codes, its adjectives, its names elsewhere.
_TABLE: Final = """
afghanistan;afg;;афганистан
albania;alb,al;albanian;албания,shqiperi,albanien,albanie
algeria;alg,dza,dz;algerian;алжир,algerie,argelia,algerien,الجزائر
andorra;and;;андорра
angola;ang,ago;;ангола
argentina;arg,ar;argentine,argentinian;аргентина,アルゼンチン,阿根廷,الأرجنتين,argentinien,argentine,아르헨티나
armenia;arm,am;armenian;სომხეთი,армения,armenien,armenie,հայաստան
aruba;aru;;
australia;aus,au;australian;австралия,オーストラリア,澳大利亚,أستراليا,australien,australie,호주
austria;aut,at;austrian;австрия,オーストリア,奥地利,osterreich,oesterreich,autriche,النمسا,오스트리아
azerbaijan;aze,az;azerbaijani;азербайджан,azerbaycan,aserbaidschan
bahamas;bhs;;
bahrain;bhr,bah;;бахрейн,البحرين,巴林,バーレーン
bangladesh;ban,bgd;;бангладеш
barbados;brb;;
belarus;blr,by;belarusian;беларусь,белоруссия,bielorrusia,weissrussland,bielorussie
belgium;bel,be;belgian;бельгия,ベルギー,比利时,belgique,belgica,belgien,belgie,بلجيكا,벨기에
belize;blz;;
benin;ben;;бенин
bermuda;ber;;
bolivia;bol,bo;bolivian;боливия,玻利维亚
bosnia;bih;bosnian;bosnia herzegovina,bosnia and herzegovina,bosnia & herzegovina,bosnien herzegowina,босния и герцеговина,босния,bosnia-herzegovina
botswana;bot,bwa;;
brazil;bra,br;brazilian;бразилия,ブラジル,巴西,البرازيل,brasil,brasilien,bresil,브라질
bulgaria;bul,bgr,bg;bulgarian;болгария,българия,bulgarien,bulgarie
burkina faso;bfa;;буркина фасо
burundi;bdi;;
cambodia;cam;;камбоджа
cameroon;cmr,cm;;камерун,カメルーン,喀麦隆,الكاميرون,kamerun,cameroun,camerun
canada;can;canadian;канада,カナダ,加拿大,كندا,kanada,캐나다
cape verde;cpv;;cabo verde,кабо верде,cape verde islands
central african republic;cta,caf;;
chad;cha,tcd;;чад
chile;chi,chl,cl;chilean;чили,チリ,智利,تشيلي
china;chn,cn;chinese;китай,中国,الصين,china pr,chine,中国队
chinese taipei;tpe;;taiwan,тайвань,中华台北
colombia;col;colombian;колумбия,コロンビア,哥伦比亚,كولومبيا,kolumbien,colombie,콜롬비아
comoros;com;;коморы
congo;cgo,cog;;
dr congo;cod;;congo dr,democratic republic of congo,др конго
costa rica;crc,cri;costa rican;коста рика,コスタリカ,哥斯达黎加,كوستاريكا
croatia;cro,hrv,hr;croatian;хорватия,クロアチア,克罗地亚,كرواتيا,hrvatska,kroatien,croatie,croacia,크로아티아
cuba;cub;;куба
curacao;cuw;;кюрасао
cyprus;cyp,cy;cypriot;кипр,κυπρος,zypern,chypre
czech republic;cze,cz;czech;czechia,чехия,чешская республика,チェコ,捷克,tschechien,cesko,republique tcheque,republica checa,التشيك
denmark;den,dnk,dk;danish;дания,デンマーク,丹麦,الدنمارك,danmark,danemark,dinamarca,danemark,덴마크
djibouti;dji;;
dominica;dma;;
dominican republic;dom;;доминиканская республика
ecuador;ecu,ec;ecuadorian;эквадор,エクアドル,厄瓜多尔,الإكوادور
egypt;egy,eg;egyptian;египет,エジプト,埃及,مصر,agypten,aegypten,egypte,egipto
el salvador;slv;salvadoran;сальвадор
england;eng;english;англия,イングランド,英格兰,إنجلترا,inglaterra,angleterre,inghilterra,αγγλια,잉글랜드
equatorial guinea;eqg,gnq;;экваториальная гвинея
eritrea;eri;;
estonia;est,ee;estonian;эстония,eesti,estland,estonie
eswatini;swz;;
ethiopia;eth;;эфиопия
faroe islands;fro,fai;faroese;фареры,фарерские острова,faroes,faroe
fiji;fij,fji;;фиджи
finland;fin,fi;finnish;финляндия,フィンランド,芬兰,فنلندا,suomi,finnland,finlande,finlandia
france;fra,fr;french;франция,フランス,法国,فرنسا,frankreich,francia,γαλλια,프랑스
gabon;gab;;габон
gambia;gam,gmb;;гамбия
georgia;geo,ge;georgian;грузия,საქართველო,georgien,georgie,ジョージア
germany;ger,deu,de;german;германия,ドイツ,德国,ألمانيا,deutschland,alemania,allemagne,germania,γερμανια,독일,niemcy
ghana;gha,gh;ghanaian;гана,ガーナ,加纳,غانا
gibraltar;gib;;гибралтар
greece;gre,grc,gr;greek;греция,ギリシャ,希腊,اليونان,griechenland,grecia,grece,ελλαδα,ελλας,hellas
guatemala;gua,gtm;guatemalan;гватемала
guinea;gui,gin;;гвинея,guinee
guinea bissau;gnb;;гвинея-бисау,гвинея бисау
guyana;guy;;гайана
haiti;hai,hti;;гаити
honduras;hon,hnd;honduran;гондурас
hong kong;hkg;;гонконг,香港
hungary;hun,hu;hungarian;венгрия,ハンガリー,匈牙利,المجر,magyarorszag,ungarn,hongrie,hungria
iceland;isl,is;icelandic;исландия,アイスランド,冰岛,island,islande,islandia
india;ind,in;indian;индия,インド,印度,الهند,भारत
indonesia;idn;indonesian;индонезия,インドネシア,印度尼西亚,印尼
iran;irn,iri,ir;iranian;иран,イラン,伊朗,إيران,ir iran
iraq;irq,iq;iraqi;ирак,イラク,伊拉克,العراق
israel;isr,il;israeli;израиль,イスラエル,以色列,ישראל
italy;ita,it;italian;италия,イタリア,意大利,إيطاليا,italia,italien,italie,ιταλια,이탈리아
ivory coast;civ,ci;;кот-д'ивуар,cote d'ivoire,cote divoire,コートジボワール,科特迪瓦,costa de marfil,elfenbeinkuste
jamaica;jam,jm;jamaican;ямайка,ジャマイカ
japan;jpn,jp;japanese;япония,日本,اليابان,japon,일본
jordan;jor;jordanian;иордания,ヨルダン,约旦,الأردن
kazakhstan;kaz,kz;kazakh;казахстан,kasachstan
kenya;ken;kenyan;кения
kosovo;kos,kvx;;косово
kuwait;kuw,kwt;;кувейт,الكويت,科威特
kyrgyzstan;kgz;;киргизия,кыргызстан,kyrgyz republic
laos;lao;;
latvia;lat,lva,lv;latvian;латвия,latvija,lettland,lettonie
lebanon;lbn,lib;lebanese;ливан,لبنان,黎巴嫩
liberia;lbr;;либерия
libya;lby;;ливия,ليبيا
liechtenstein;lie;;лихтенштейн
lithuania;ltu,lt;lithuanian;литва,lietuva,litauen,lituanie
luxembourg;lux,lu;;люксембург,luxemburg
madagascar;mad,mdg;;мадагаскар
malawi;mwi,maw;;малави
malaysia;mas,mys;malaysian;малайзия,マレーシア,马来西亚
maldives;mdv;;
mali;mli;;мали,マリ,马里,مالي
malta;mlt,mt;maltese;мальта
mauritania;mtn;;мавритания
mauritius;mri;;
mexico;mex,mx;mexican;мексика,メキシコ,墨西哥,المكسيك,mexiko,mexique,멕시코
moldova;mda,md;moldovan;молдова,молдавия,moldau
mongolia;mgl;;монголия
montenegro;mne;montenegrin;черногория,crna gora
morocco;mar,ma;moroccan;марокко,モロッコ,摩洛哥,المغرب,marokko,maroc,marruecos,모로코
mozambique;moz;;мозамбик
namibia;nam;;намибия
nepal;nep,npl;;непал
netherlands;ned,nld,nl;dutch;holland,нидерланды,голландия,オランダ,荷兰,هولندا,niederlande,paises bajos,pays-bas,pays bas,ολλανδια,네덜란드
new zealand;nzl,nz;;новая зеландия,ニュージーランド,新西兰,نيوزيلندا,neuseeland
nicaragua;nca;nicaraguan;никарагуа
niger;nig,ner;;нигер
nigeria;nga,ng;nigerian;нигерия,ナイジェリア,尼日利亚,نيجيريا
north korea;prk;;кндр,korea dpr,北朝鲜,朝鲜,dpr korea
north macedonia;mkd;macedonian;северная македония,македония,macedonia,fyr macedonia
northern ireland;nir;northern irish;северная ирландия,北アイルランド,北爱尔兰,nordirland
norway;nor,no;norwegian;норвегия,ノルウェー,挪威,النرويج,norge,norwegen,norvege,noruega,노르웨이
oman;oma,omn;omani;оман,عمان,阿曼,オマーン
pakistan;pak,pk;pakistani;пакистан,パキスタン
palestine;ple,pse;;палестина,فلسطين
panama;pan;panamanian;панама,パナマ,巴拿马
papua new guinea;png;;
paraguay;par,pry,py;paraguayan;парагвай,パラグアイ,巴拉圭,باراغواي
peru;per,pe;peruvian;перу,ペルー,秘鲁,بيرو
philippines;phi,phl;philippine;филиппины,フィリピン,菲律宾
poland;pol,pl;polish;польша,ポーランド,波兰,بولندا,polska,polen,pologne,polonia,폴란드
portugal;por,prt,pt;portuguese;португалия,ポルトガル,葡萄牙,البرتغال,πορτογαλια,포르투갈
puerto rico;pur,pri;;пуэрто рико
qatar;qat,qa;qatari;катар,カタール,卡塔尔,قطر,katar
ireland;irl,ie;irish;republic of ireland,r ireland,rep of ireland,rep ireland,ирландия,アイルランド,爱尔兰,irland,irlande,irlanda,أيرلندا
romania;rou,rom,ro;romanian;румыния,ルーマニア,罗马尼亚,رومانيا,rumanien,roumanie,rumania
russia;rus,ru;russian;россия,ロシア,俄罗斯,روسيا,russland,rusia,russie
rwanda;rwa;;руанда
samoa;sam,wsm;;самоа
san marino;smr,sm;;сан-марино
saudi arabia;ksa,sau,sa;saudi;саудовская аравия,サウジアラビア,沙特阿拉伯,沙特,السعودية,saudi-arabien,arabie saoudite,arabia saudita,saudi
scotland;sco;scottish;шотландия,スコットランド,苏格兰,اسكتلندا,schottland,ecosse,escocia
senegal;sen,sn;senegalese;сенегал,セネガル,塞内加尔,السنغال
serbia;srb,rs;serbian;сербия,セルビア,塞尔维亚,صربيا,srbija,србија,serbien,serbie
seychelles;sey;;
sierra leone;sle;;сьерра-леоне
singapore;sgp,sin,sg;singaporean;сингапур,シンガポール,新加坡
slovakia;svk,sk;slovak;словакия,スロバキア,斯洛伐克,slovensko,slowakei,slovaquie,eslovaquia
slovenia;slo,svn;slovenian;словения,スロベニア,斯洛文尼亚,slovenija,slowenien,slovenie,eslovenia
solomon islands;sol;;
somalia;som;;сомали
south africa;rsa,zaf,za;south african;юар,южная африка,南アフリカ,南非,جنوب أفريقيا,sudafrika,sudafrica
south korea;kor,kr;korean;южная корея,корея,korea republic,republic of korea,韓国,韩国,كوريا الجنوبية,sudkorea,coree du sud,corea del sur,대한민국,korea
south sudan;ssd;;
spain;esp,es;spanish;испания,スペイン,西班牙,إسبانيا,espana,spanien,espagne,spagna,ισπανια,스페인,hiszpania
sri lanka;sri,lka;;шри-ланка
sudan;sud,sdn;;судан,السودان
suriname;sur;;суринам
sweden;swe,se;swedish;швеция,スウェーデン,瑞典,السويد,sverige,schweden,suede,suecia,σουηδια
switzerland;sui,che,ch;swiss;швейцария,スイス,瑞士,سويسرا,schweiz,suisse,suiza,svizzera
syria;syr;;сирия,سوريا
tajikistan;tjk;;таджикистан
tanzania;tan,tza;;танзания
thailand;tha,th;thai;ไทย,таиланд,タイ,泰国
togo;tog;;того
trinidad and tobago;tri,tto;;trinidad & tobago,trinidad,тринидад и тобаго
tunisia;tun,tn;tunisian;тунис,チュニジア,突尼斯,تونس,tunesien,tunisie,tunez
turkey;tur,tr;turkish;turkiye,турция,トルコ,土耳其,تركيا,turkei,tuerkei,turquie,turquia,τουρκια,튀르키예
turkmenistan;tkm;;туркменистан
uganda;uga;;уганда
ukraine;ukr,ua;ukrainian;украина,україна,ウクライナ,乌克兰,أوكرانيا,ucrania
united arab emirates;uae,are;emirati;uae,оаэ,الإمارات,アラブ首長国連邦,阿联酋,emirates
united states;usa,us;;usa,united states of america,us,u.s.a.,сша,アメリカ,美国,الولايات المتحدة,estados unidos,etats-unis,미국
uruguay;uru,ury,uy;uruguayan;уругвай,ウルグアイ,乌拉圭,أوروغواي,우루과이
uzbekistan;uzb,uz;uzbek;узбекистан,ウズベキスタン,乌兹别克斯坦,أوزبكستان
venezuela;ven,ve;venezuelan;венесуэла,ベネズエラ,委内瑞拉
vietnam;vie,vnm,vn;vietnamese;เวียดนาม,вьетнам,ベトナム,越南,viet nam
wales;wal;welsh;уэльс,ウェールズ,威尔士,ويلز,pays de galles,gales,cymru
west indies;win;;вест-индия
yemen;yem;;йемен,اليمن
zambia;zam,zmb;zambian;замбия
zimbabwe;zim,zwe;zimbabwean;зимбабве
"""

_ROWS: Final = [line.split(";") for line in _TABLE.strip().splitlines()]
#: code -> country
CODES: Final[dict[str, str]] = {code: row[0] for row in _ROWS for code in row[1].split(",") if code}
COUNTRIES: Final[frozenset[str]] = frozenset(row[0] for row in _ROWS)
#: what names a country in the name of a competition -> country
ADJECTIVES: Final[dict[str, str]] = {
    # Georgia is also a state, and Jordan, Chad and others are names of people.
    **{row[0]: row[0] for row in _ROWS if row[0] not in {"georgia", "jordan", "chad"}},
    "uae": "united arab emirates",
    "usa": "united states",
    **{adjective: row[0] for row in _ROWS for adjective in row[2].split(",") if adjective},
}
#: names of countries in other languages, as they are written there -> country
FOREIGN: Final[dict[str, str]] = {name: row[0] for row in _ROWS for name in row[3].split(",") if name}
